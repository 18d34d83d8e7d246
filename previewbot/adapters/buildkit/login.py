"""Who previewbot is at the registry. Files are read at each use, so what rotates them needs to tell nobody."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from previewbot.core.errors import Refused
from previewbot.core.model import Reason


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password. Its text never shows the password."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Hide the password."""
        return f"Login({self.username!r}, …)"

    @property
    def basic(self) -> str:
        """Both, as HTTP's Basic scheme and docker's configuration write them."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class LoginSource(Protocol):
    """Where a login comes from."""

    def read(self) -> Login | None:
        """Read it; ``None`` means to come as nobody. Raises ``Refused``."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """A registry that wants no login."""

    def read(self) -> Login | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A name in the configuration and its password in a file."""

    username: str
    file: Path

    def read(self) -> Login | None:
        """Read the password, without the line break at its end."""
        password = _text(self.file).rstrip("\r\n")
        if not password:
            raise _unusable(self.file, "is empty")
        return Login(self.username, password)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file that ``docker login`` writes, of which one registry's entry counts."""

    file: Path
    host: str

    def read(self) -> Login | None:
        """Find the entry; one that names a program instead of a password is refused."""
        try:
            auths: dict[str, Any] = json.loads(_text(self.file)).get("auths", {})
            entry = next((auths[name] for name in auths if _host(name) == self.host), None)
            found = _login(entry or {})
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise _unusable(self.file, "is not what `docker login` writes") from None
        if found is None:
            raise _unusable(self.file, f"holds no name and password for {self.host}")
        return found


def _login(entry: dict[str, Any]) -> Login | None:
    if entry.get("auth"):
        username, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        return Login(username, password) if colon and password else None
    if entry.get("username") and entry.get("password"):
        return Login(str(entry["username"]), str(entry["password"]))
    return None


def _host(name: str) -> str:
    """The registry that an entry is for: older ones are written as URLs."""
    return name.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, f"cannot be read ({type(error).__name__})") from None


def _unusable(file: Path, why: str) -> Refused:
    said = f"The registry's credentials {why}: previewbot's operator has to mend the file `{file.name}`."
    return Refused(Reason.RUNTIME_REFUSED, said)
