"""The door: a delivery is measured, verified, read as a hint and put on disk before it is acknowledged.

It answers with constant bodies, acts on nothing, and believes nothing of a body whose signature is not right. It is a
bare ASGI application: a framework around it would cost more than the door itself. Ordinary deliveries come by
``hatch``, which costs less again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from starlette.types import Receive, Scope, Send

from previewbot.core.errors import Refused, Transient
from previewbot.ports import Clock, Delivery, Inbox
from previewbot.telemetry import Metrics
from previewbot.web.answers import CLOSE, Answer, answer
from previewbot.wire import envelope, events

log = structlog.get_logger(__name__)

BODY_LIMIT = 25 * 1024**2
"""Bytes: GitHub's own cap on a payload."""

LARGE = 256 * 1024
"""Bytes from which a body is verified and decoded off the event loop, and shares its memory with few others."""

_LARGE_AT_ONCE = 4
"""Large bodies in memory at most: anybody may send them, signed or not."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_LENGTH = re.compile(rb"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What became of a request, in one word for the metric, and what its sender is told."""

    outcome: str
    answer: Answer


_ACCEPTED = _Verdict("accepted", answer(202, "accepted"))
_REPEATED = _Verdict("repeated", _ACCEPTED.answer)
_IGNORED = _Verdict("ignored", _ACCEPTED.answer)
_GONE = _Verdict("gone", answer(400, "gone"))
_MALFORMED = _Verdict("malformed", answer(400, "malformed: application/json is needed"))
_UNNAMED = _Verdict("malformed", answer(400, "malformed: X-GitHub-Delivery and X-GitHub-Event are needed"))
_BAD_SIGNATURE = _Verdict("bad_signature", answer(401, "bad signature"))
_TOO_SLOW = _Verdict("too_slow", answer(408, "too slow", CLOSE))
_LATE = _Verdict("too_slow", answer(408, "too slow"))
_TOO_LARGE = _Verdict("too_large", answer(413, "too large", CLOSE))
_UNAVAILABLE = _Verdict("unavailable", answer(503, "try again", (b"retry-after", b"10")))


@dataclass(frozen=True, slots=True)
class Door:
    """What the door needs. ``secrets`` are one or two webhook secrets: two while one is being changed."""

    inbox: Inbox
    clock: Clock
    secrets: tuple[bytes, ...]
    metrics: Metrics
    deadline: timedelta = timedelta(seconds=10)
    """How long a body may take to arrive."""
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LARGE_AT_ONCE), repr=False)
    _log: structlog.typing.FilteringBoundLogger = field(default_factory=log.bind, repr=False)
    """Bound once, since every delivery has its line."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 202 once it is on disk, or says nothing to us; else why not, in a constant word."""
        began = time.perf_counter()
        headers = dict(scope["headers"])
        told = self._counted(await self._judge(headers, receive), headers, began)
        await told.send(send)

    async def take(self, headers: Mapping[bytes, bytes], body: bytes, began: float) -> Answer:
        """Answer a request whose body arrived whole, smaller than ``LARGE``; ``began`` is when its headers did."""
        return self._counted(await self._weigh(headers, body), headers, began)

    def late(self, headers: Mapping[bytes, bytes], began: float) -> Answer:
        """Answer a request whose body did not arrive within the deadline."""
        return self._counted(_LATE, headers, began)

    def _counted(self, verdict: _Verdict, headers: Mapping[bytes, bytes], began: float) -> Answer:
        event = _text(headers, b"x-github-event")
        self.metrics.deliveries.labels(event if event in events.KNOWN else "other", verdict.outcome).inc()
        self.metrics.delivery_seconds.observe(time.perf_counter() - began)
        return verdict.answer

    async def _judge(self, headers: Mapping[bytes, bytes], receive: Receive) -> _Verdict:
        length = _LENGTH.fullmatch(headers.get(b"content-length", b"0"))
        if length is None:
            return _MALFORMED
        if int(length[0]) > BODY_LIMIT:
            return _TOO_LARGE
        is_large = int(length[0]) >= LARGE or b"transfer-encoding" in headers
        try:
            if is_large:
                async with self._turn():
                    return await self._read(headers, receive)
            return await self._read(headers, receive)
        except TimeoutError:
            return _TOO_SLOW

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with asyncio.timeout(self.deadline.total_seconds()):
            await self._large.acquire()
        try:
            yield
        finally:
            self._large.release()

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive) -> _Verdict:
        async with asyncio.timeout(self.deadline.total_seconds()):
            body = await _body(receive)
        return body if isinstance(body, _Verdict) else await self._weigh(headers, body)

    async def _weigh(self, headers: Mapping[bytes, bytes], body: bytes) -> _Verdict:
        signature = headers.get(b"x-hub-signature-256", b"")
        if len(body) < LARGE:
            payload = self._open(body, signature)
        else:
            payload = await asyncio.to_thread(self._open, body, signature)
        if isinstance(payload, _Verdict):
            return payload
        name, event = _text(headers, b"x-github-delivery"), _text(headers, b"x-github-event")
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(event):
            return _UNNAMED
        reading = events.read(event, payload)
        if not reading.topics and not reading.asks:
            return _IGNORED
        return await self._accept(Delivery(name, event, self.clock.now(), reading.patience), reading)

    def _open(self, body: bytes, signature: bytes) -> events.Payload | _Verdict:
        if not is_signed(body, signature, self.secrets):
            return _BAD_SIGNATURE
        payload = envelope.decode(body)
        return _MALFORMED if isinstance(payload, events.Malformed) else payload

    async def _accept(self, delivery: Delivery, reading: events.Reading) -> _Verdict:
        try:
            is_new = await self.inbox.accept(delivery, reading.topics, reading.asks)
        except (Transient, Refused) as error:
            log.warning("delivery not accepted", delivery=delivery.id, why=str(error))
            return _UNAVAILABLE
        if is_new:
            self._log.info("delivery", delivery=delivery.id, event_name=delivery.event, topics=len(reading.topics))
        return _ACCEPTED if is_new else _REPEATED


async def _body(receive: Receive) -> bytes | _Verdict:
    """Read a body whole, or say why not: as soon as it is known to be too large."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        whole: bytes = message.get("body", b"")
        return whole if len(whole) <= BODY_LIMIT else _TOO_LARGE
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message.get("body", b"")
        if len(parts) > BODY_LIMIT:
            return _TOO_LARGE
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()
    return _GONE


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def is_signed(body: bytes, signature: bytes, secrets: tuple[bytes, ...]) -> bool:
    """Whether ``X-Hub-Signature-256`` is that of the raw body under any of the secrets, in constant time for each."""
    made = [b"sha256=" + hmac.digest(secret, body, hashlib.sha256).hex().encode() for secret in secrets]
    return any([hmac.compare_digest(each, signature) for each in made])  # noqa: C419 - no early end, whichever it was
