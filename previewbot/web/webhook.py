"""The door: a delivery is measured, verified, read as a hint and put on disk before it is acknowledged.

It answers with constant bodies, acts on nothing, and believes nothing of a body whose signature is not right.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from previewbot.core.errors import Transient
from previewbot.ports import Clock, Delivery, Inbox
from previewbot.telemetry import Metrics
from previewbot.wire import events

log = structlog.get_logger(__name__)

BODY_LIMIT = 25 * 1024**2
"""Bytes: GitHub's own cap on a payload."""

_LARGE = 256 * 1024
"""Bytes from which a body is decoded off the event loop."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Door:
    """What the door needs. ``secrets`` are one or two webhook secrets: two while one is being changed."""

    inbox: Inbox
    clock: Clock
    secrets: tuple[bytes, ...]
    metrics: Metrics
    deadline: timedelta = timedelta(seconds=10)
    """How long a body may take to arrive."""

    async def receive(self, request: Request) -> Response:
        """Answer one request: 202 once it is on disk, or says nothing to us; else why not, in a constant word."""
        event = request.headers.get("x-github-event", "")
        answer, outcome = await self._judge(request, event)
        self.metrics.deliveries.labels(event if event in events.KNOWN else "other", outcome).inc()
        return answer

    async def _judge(self, request: Request, event: str) -> tuple[Response, str]:
        try:
            async with asyncio.timeout(self.deadline.total_seconds()):
                body = await _read(request)
        except TimeoutError:
            return PlainTextResponse("too slow", 408), "too_slow"
        except ClientDisconnect:
            return PlainTextResponse("gone", 400), "gone"
        if body is None:
            return PlainTextResponse("too large", 413), "too_large"
        if not is_signed(body, request.headers.get("x-hub-signature-256", ""), self.secrets):
            return PlainTextResponse("bad signature", 401), "bad_signature"
        delivery = request.headers.get("x-github-delivery", "")
        if not _NAME.fullmatch(delivery) or not _NAME.fullmatch(event):
            return PlainTextResponse("malformed", 400), "malformed"
        return await self._accept(Delivery(delivery, event, self.clock.now()), body)

    async def _accept(self, delivery: Delivery, body: bytes) -> tuple[Response, str]:
        decoded = events.decode(body) if len(body) < _LARGE else await asyncio.to_thread(events.decode, body)
        if isinstance(decoded, events.Malformed):
            return PlainTextResponse("malformed: application/json is needed", 400), "malformed"
        reading = events.read(delivery.event, decoded)
        if not reading.topics and not reading.asks:
            return _ACCEPTED, "ignored"
        try:
            is_new = await self.inbox.accept(delivery, reading.topics, reading.asks)
        except Transient as transient:
            log.warning("delivery not accepted", delivery=delivery.id, why=str(transient))
            return PlainTextResponse("try again", 503, headers={"Retry-After": "10"}), "unavailable"
        if is_new:
            log.info("delivery", delivery=delivery.id, event_name=delivery.event, topics=len(reading.topics))
        return _ACCEPTED, "accepted" if is_new else "repeated"


_ACCEPTED = PlainTextResponse("accepted", 202)


async def _read(request: Request) -> bytes | None:
    """Read a body whole; ``None`` as soon as it is known to be too large."""
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said[:12]) > BODY_LIMIT:
        return None
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


def is_signed(body: bytes, signature: str, secrets: tuple[bytes, ...]) -> bool:
    """Whether ``X-Hub-Signature-256`` is that of the raw body under any of the secrets, in constant time for each."""
    given = signature.encode("utf-8", "surrogateescape")
    made = [b"sha256=" + hmac.digest(secret, body, hashlib.sha256).hex().encode() for secret in secrets]
    return any([hmac.compare_digest(each, given) for each in made])  # noqa: C419 - no early end, whichever it was
