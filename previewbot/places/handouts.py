"""The files that the operator has every namespace given: a login that pulls images, and the previews' certificate.

Whatever renews them (cert-manager and the kubelet, by a Secret that is mounted) needs to tell nobody: they are read
again every few seconds, and namespaces that exist are given the new content at once.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from previewbot.adapters import kubernetes as k8s
from previewbot.settings import Faulty, Settings, read_secret

log = structlog.get_logger(__name__)

_PAUSE = 5.0
"""Seconds between two looks."""


class Handouts:
    """What is in those files; raises ``Faulty`` where that cannot be used from the beginning."""

    def __init__(self, settings: Settings) -> None:
        self._pull = settings.registry.pull_secret_file
        own = settings.kubernetes
        both = own.tls_certificate_file, own.tls_key_file
        self._papers = (both[0], both[1]) if both[0] and both[1] else None
        self.current = self._read()
        """What was there last, and could be used."""
        self._trouble: str | None = None

    async def renew(self, tell: Callable[[], object], *, pause: float = _PAUSE) -> None:
        """Look again and again, and tell of each change."""
        while self._pull or self._papers:
            await asyncio.sleep(pause)
            if self._look():
                log.info("handed out anew")
                tell()
        await asyncio.Event().wait()  # a chore that ends is one that failed

    def _look(self) -> bool:
        """Read them again; what cannot be used, such as one of two files that are being replaced, changes nothing."""
        before = self.current
        try:
            self.current, trouble = self._read(), None
        except Faulty as fault:
            trouble = str(fault)
            if trouble != self._trouble:
                log.warning("not handed out", why=trouble)
        self._trouble = trouble
        return self.current != before

    def _read(self) -> k8s.Handed:
        return k8s.Handed(
            read_pull_secret(self._pull) if self._pull else None,
            read_certificate(*self._papers) if self._papers else None,
        )


def read_pull_secret(file: Path) -> str:
    """Read what ``docker login`` writes; raises ``Faulty`` where it is anything else: a cluster would not take it."""
    said = _text(file)
    try:
        auths = json.loads(said)["auths"]
    except (ValueError, LookupError, TypeError, RecursionError):
        auths = None
    if not isinstance(auths, dict) or not auths:
        raise Faulty((f'{file}: is not what `docker login` writes: {{"auths": {{"HOST": …}}}}',))
    return said


def read_certificate(file: Path, key: Path) -> k8s.Certificate:
    """Read a certificate and its key; raises ``Faulty`` where they do not belong together."""
    made = k8s.Certificate(_text(file) + "\n", _text(key) + "\n")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is one
        why = str(getattr(error, "reason", None) or error).lower().replace("_", " ")
        raise Faulty((f"{file}: cannot be used with the key {key}: {why}",)) from None
    return made


def _no_password() -> str:
    raise ValueError("it is encrypted; a key without a password is needed")


def _text(file: Path) -> str:
    try:
        return read_secret(file).decode("utf-8")
    except UnicodeDecodeError:
        raise Faulty((f"{file}: is no text",)) from None
