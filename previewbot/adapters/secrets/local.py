"""Secrets in one file of this machine, each encrypted by itself with AES-256-GCM.

A ciphertext is bound to its full name: moved to another environment, or to another name, it does not open. Names and
versions are in the clear. Writers take turns by a lock on a file beside it, so several processes may share it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.secrets import Scope, SecretName
from previewbot.ports import Value

KEY_BYTES = 32
_NONCE_BYTES = 12  # as NIST SP 800-38D recommends for GCM
_FORMAT = 1
_REASON = "secrets"
_Entries = dict[str, dict[str, str]]
"""Full name to version and box."""
_Made = TypeVar("_Made")


def make_key(path: Path) -> None:
    """Write a new key where there is none yet; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii") + "\n")
            file.flush()
            os.fsync(file.fileno())


def read_key(text: str) -> bytes:
    """Read a key: 32 bytes in base64; ``ValueError`` says what is wrong and never repeats it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key of the secrets is not base64; make one with `openssl rand -base64 32`") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"the key of the secrets has {len(key)} bytes instead of 32: `openssl rand -base64 32`")
    return key


class LocalSecrets:
    """A ``ports.Secrets`` in one file; ``key`` opens it, and nothing in the file tells it."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._cipher = AESGCM(key)

    async def versions(self, scope: Scope, names: Collection[SecretName] | None = None) -> Mapping[SecretName, str]:
        """See ``Secrets.versions``."""
        found = _within(await asyncio.to_thread(self._read), scope)
        return {name: each["version"] for name, each in found.items() if names is None or name in names}

    async def values(self, scope: Scope, names: Collection[SecretName]) -> Mapping[SecretName, Value]:
        """See ``Secrets.values``. A box that does not open is ``Refused``: another key, or a file that was changed."""
        entries = _within(await asyncio.to_thread(self._read), scope)
        return {name: self._open(scope, name, entries[name]["box"]) for name in names if name in entries}

    async def put(self, scope: Scope, name: SecretName, value: Value) -> str:
        """See ``Secrets.put``."""
        version = secrets.token_hex(8)
        entry = {"version": version, "box": self._close(scope, name, value)}
        await asyncio.to_thread(self._change, lambda entries: entries.update({_full(scope, name): entry}))
        return version

    async def remove(self, scope: Scope, name: SecretName) -> bool:
        """See ``Secrets.remove``."""
        return await asyncio.to_thread(self._change, lambda entries: entries.pop(_full(scope, name), None) is not None)

    async def forget(self, scope: Scope) -> int:
        """See ``Secrets.forget``."""
        if scope.environment is None:
            raise ValueError("only what was made for one environment is forgotten as a whole")

        def drop(entries: _Entries) -> int:
            gone = [_full(scope, name) for name in _within(entries, scope)]
            for each in gone:
                del entries[each]
            return len(gone)

        return await asyncio.to_thread(self._change, drop)

    async def keys(self) -> frozenset[Key]:
        """See ``Secrets.keys``."""
        parts = (full.split("/") for full in await asyncio.to_thread(self._read))
        return frozenset(key for each in parts if (key := _key_of(each)))

    async def check(self) -> str:
        """See ``Secrets.check``: every box is opened once, so that a wrong key shows before it is needed."""
        entries = await asyncio.to_thread(self._read)
        for full, each in entries.items():
            self._unbox(full, each["box"])
        return f"{len(entries)} secrets in {self._path.name}, all of which open"

    # --- boxes ------------------------------------------------------------------------------------------------------

    def _close(self, scope: Scope, name: SecretName, value: Value) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, value.text.encode(), _full(scope, name).encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def _open(self, scope: Scope, name: SecretName, box: str) -> Value:
        return self._unbox(_full(scope, name), box)

    def _unbox(self, full: str, box: str) -> Value:
        try:
            raw = base64.b64decode(box, validate=True)
            return Value(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], full.encode()).decode())
        except (InvalidTag, ValueError):
            said = f"The secret {full} does not open: the key is another one, or the file was changed."
            raise Refused(_REASON, said) from None

    # --- the file ---------------------------------------------------------------------------------------------------

    def _read(self) -> _Entries:
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Transient(f"The secrets cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise Refused(_REASON, f"{self._path} is no file of secrets: it is not JSON.") from error
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise Refused(_REASON, f"{self._path} is no file of secrets that this version reads.")
        entries: _Entries = found["secrets"]
        return entries

    def _change(self, change: Callable[[_Entries], _Made]) -> _Made:
        try:
            with self._turn():
                entries = self._read()
                made = change(entries)
                self._write(entries)
                return made
        except OSError as error:
            raise Transient(f"The secrets cannot be written: {error.strerror}.") from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other process writes."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, entries: _Entries) -> None:
        """Replace the file as a whole; a crash leaves the one before."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"format": _FORMAT, "secrets": entries}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _full(scope: Scope, name: SecretName) -> str:
    return f"{scope}/{name}"


def _key_of(parts: Sequence[str]) -> Key | None:
    """The environment that alone has a secret."""
    key = Key.parse(parts[2].removeprefix("~"))
    return key if key and "/".join(parts[:3]) == str(Scope.own(key)) else None


def _within(entries: _Entries, scope: Scope) -> Mapping[SecretName, dict[str, str]]:
    """Those of one scope, and of none below it."""
    head = f"{scope}/"
    found = {}
    for full, each in entries.items():
        parts = full.removeprefix(head).split("/")
        if full.startswith(head) and len(parts) == 2:  # noqa: PLR2004 - owner and name
            found[SecretName(*parts)] = each
    return found
