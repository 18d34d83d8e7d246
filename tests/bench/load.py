"""The generator of deliveries: signed beforehand, whole requests over connections that stay open, nothing pipelined.

It does as little as it can for each request, so that what is measured is the server: a bare asyncio protocol, one
write, and one search for the end of the answer. It knows nothing of whom it drives.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from tests.judges.packages import published

SECRET = b"bench secret"
SIZE = 21 * 1024
"""Bytes of a body, about what GitHub sends for a pull request."""
CONNECTIONS = 32
_PULLS = 50

_GOOD = re.compile(rb"HTTP/1\.1 20[02] .*?\r\ncontent-length: *(\d+)\r\n(?:.*?\r\n)?\r\n", re.IGNORECASE | re.DOTALL)


def bodies() -> list[bytes]:
    """Bodies of ``pull_request`` deliveries as GitHub publishes them, each of another pull request."""
    examples = (each for event, each in published() if event == "pull_request" and each["action"] == "synchronize")
    example: dict[str, Any] = next(examples)
    made = []
    for number in range(1, _PULLS + 1):
        pull = example["pull_request"] | {"number": number, "title": f"Change {number}", "body": ""}
        payload = example | {"number": number, "pull_request": pull}
        made.append(json.dumps(_fitted(payload), separators=(",", ":")).encode())
    return made


def _fitted(payload: dict[str, Any]) -> dict[str, Any]:
    """Bring a payload to ``SIZE``: links that nobody reads make way, then the description fills up."""
    head, base = payload["pull_request"]["head"], payload["pull_request"]["base"]
    for repository in (head["repo"], base["repo"]):
        for name in sorted(name for name in repository if name.endswith("_url")):
            if len(json.dumps(payload, separators=(",", ":"))) <= SIZE:
                break
            del repository[name]
    lacking = SIZE - len(json.dumps(payload, separators=(",", ":")))
    return payload | {"pull_request": payload["pull_request"] | {"body": ("What changes, and why. " * 100)[:lacking]}}


@dataclass(frozen=True, slots=True)
class Request:
    """One delivery, ready to send."""

    head: bytes
    body: bytes


def requests() -> Iterator[Request]:
    """Deliveries without end, each with an id of its own."""
    signed = [(body, hmac.digest(SECRET, body, "sha256").hex()) for body in bodies()]
    for body, signature in itertools.cycle(signed):
        head = (
            "POST /webhook HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: GitHub-Hookshot/0000000\r\n"
            f"Content-Type: application/json\r\nX-GitHub-Delivery: {uuid.uuid4()}\r\nX-GitHub-Event: pull_request\r\n"
            "X-GitHub-Hook-ID: 1\r\nX-GitHub-Hook-Installation-Target-ID: 1\r\n"
            "X-GitHub-Hook-Installation-Target-Type: integration\r\n"
            f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield Request(head.encode(), body)


class Line(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._began = 0.0
        self._answer: asyncio.Future[float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: Request) -> asyncio.Future[float]:
        """Send a request; the future gives the seconds to its answer, and fails on anything but a success."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self._transport.writelines((request.head, request.body))
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer."""
        self._got += data
        found = _GOOD.match(self._got)
        if found and len(self._got) < found.end() + int(found[1]):
            return
        if found is None and b"\r\n\r\n" not in self._got:
            return
        answer, self._answer = self._answer, None
        got, self._got = self._got, b""
        if answer is None or answer.done():
            return
        if found:
            answer.set_result(time.perf_counter() - self._began)
        else:
            answer.set_exception(RuntimeError(got[:300].decode("latin-1")))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def close(self) -> None:
        """End the connection."""
        if self._transport:
            self._transport.close()


@asynccontextmanager
async def lines(port: int, count: int = CONNECTIONS) -> AsyncIterator[list[Line]]:
    """Open connections for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(Line, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


@dataclass(slots=True)
class Sample:
    """What was measured: seconds of every answer, and how long it all took."""

    took: list[float] = field(default_factory=list)
    length: float = 0.0


async def saturate(port: int, stream: Iterator[Request], seconds: float) -> Sample:
    """Send as fast as the answers come."""
    sample = Sample()
    async with lines(port) as made:
        began = time.perf_counter()

        async def work(line: Line) -> None:
            while time.perf_counter() - began < seconds:
                sample.took.append(await line.send(next(stream)))

        await asyncio.gather(*(work(line) for line in made))
        sample.length = time.perf_counter() - began
    return sample


async def pace(port: int, stream: Iterator[Request], seconds: float, rate: int) -> Sample:
    """Send at a fixed rate, whether or not answers come; the wait for a free connection counts."""
    sample, free, sent = Sample(), asyncio.Queue[Line](), list[asyncio.Task[None]]()
    async with lines(port) as made:
        for line in made:
            free.put_nowait(line)

        async def one(request: Request) -> None:
            due = time.perf_counter()
            line = await free.get()
            waited = time.perf_counter() - due
            sample.took.append(waited + await line.send(request))
            free.put_nowait(line)

        began = time.perf_counter()
        for number in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            sent.append(asyncio.create_task(one(next(stream))))
        await asyncio.gather(*sent)
        sample.length = time.perf_counter() - began
    return sample
