"""What the error means that ``buildctl`` ended with: whose trouble it is, and in words what to do about it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from previewbot.adapters.building import UNWELL, short
from previewbot.adapters.buildkit.answers import OPERATOR

_AWAY = re.compile(r"(?:listing workers for Build|failed to (?:list workers|call info)): .*", re.DOTALL)
_DIED = re.compile(
    r"failed to receive status: rpc error: code = Unavailable.*"
    r"|failed to solve: (?:Canceled: context canceled|Unavailable: .*|.*no active session for .*)"
    r"|.*error reading from server: EOF.*",
    re.DOTALL,
)
_PUSH = re.compile(r"failed to solve: failed to push (?P<image>\S+): (?P<why>.*)", re.DOTALL)
_BASE = re.compile(r"failed to solve: .*?failed to resolve source metadata for (?P<image>\S+): (?P<why>.*)", re.DOTALL)

_FULL = re.compile(r"no space left|quota|\b507\b|insufficient storage", re.IGNORECASE)
_RIGHTS = re.compile(r"\b40[13]\b|denied|unauthorized|forbidden|authoriz|authenticat|credentials", re.IGNORECASE)
_MISSING = re.compile(r"\b404\b|not.?found|name.?unknown|does not exist|manifest.?unknown", re.IGNORECASE)
_TRUST = re.compile(r"x509: |tls: |server gave HTTP response to HTTPS client", re.IGNORECASE)


class Kind(Enum):
    """What comes next."""

    AWAY = auto()
    """BuildKit cannot be reached: nothing was begun."""
    DIED = auto()
    """BuildKit went away in the middle: perhaps because of this very build."""
    UNWELL = auto()
    """Something that passes by itself, such as a registry that restarts."""
    FINAL = auto()
    """A person has to change something."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failure that no step of the Dockerfile is to blame for."""

    kind: Kind
    told: str


def read_trouble(error: str | None, address: str, on_the_way: str | None = None) -> Trouble | None:
    """Read the last error of a build at ``address``; ``None`` where it is the Dockerfile's own.

    ``on_the_way`` is what is known of the way there, of which ``buildctl`` sees only that it ended.
    """
    if error is None:
        return None
    if _AWAY.fullmatch(error):
        return Trouble(
            Kind.AWAY, f"BuildKit at {address} cannot be reached: {on_the_way or short(error.partition(': ')[2])}"
        )
    if push := _PUSH.fullmatch(error):
        return _push(push["image"], push["why"])
    if base := _BASE.fullmatch(error):
        return _base(base["image"], base["why"])
    if _DIED.fullmatch(error):
        return Trouble(Kind.DIED, f"BuildKit at {address} went away in the middle of the build: {short(error)}")
    return None


def _push(image: str, why: str) -> Trouble:
    host, _, rest = image.partition("/")
    repository = rest.partition(":")[0]
    said = f"The image was built, but the registry {host} does not take it ({short(why)})"
    if _TRUST.search(why):
        way = "has to make BuildKit trust the registry's certificate, in its buildkitd.toml"
    elif _FULL.search(why):
        way = "has to make room there"
    elif UNWELL.search(why):
        return Trouble(Kind.UNWELL, f"{said}: {OPERATOR} has to look at it; its disk may be full.")
    elif _RIGHTS.search(why):
        way = f"has to check the credentials in `registry`, and that they may push to `{repository}`"
    elif _MISSING.search(why):
        way = f"has to make the repository `{repository}` there"
    else:
        way = "has to look at it; its disk or a quota may be full"
    return Trouble(Kind.FINAL, f"{said}: {OPERATOR} {way}.")


def _base(image: str, why: str) -> Trouble:
    if _TRUST.search(why):
        way = f"{OPERATOR} has to make BuildKit trust its registry's certificate, in its buildkitd.toml."
    elif UNWELL.search(why):
        return Trouble(Kind.UNWELL, f"The base image `{image}` cannot be pulled now: {short(why)}")
    elif _MISSING.search(why) and not _RIGHTS.search(why.replace("insufficient_scope", "")):
        way = "check its name and its tag."
    else:
        way = "check its name; a private one has to be on a registry that previewbot has credentials for."
    return Trouble(Kind.FINAL, f"The base image `{image}` cannot be pulled ({short(why)}): {way}")
