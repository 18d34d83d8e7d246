"""The short way in takes what GitHub sends and leaves everything else to the web server, without losing a byte."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from previewbot.adapters.local import SystemClock
from previewbot.core.ids import Key, Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery, Store
from previewbot.web.hatch import read
from tests.web.server import SECRET, Served, serving, site_of

PULL = json.dumps({"action": "opened", "number": 42, "repository": {"id": 7}}).encode()
LENGTH = f"Content-Length: {len(PULL)}"
PAGE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\n"


@pytest.fixture
async def served(store: Store, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(site_of(store, tmp_path)) as made:
        yield made


def head(id: str = "d1", *more: str, line: str = "POST /webhook HTTP/1.1") -> bytes:
    signature = hmac.digest(SECRET, PULL, hashlib.sha256).hex()
    own = ("Host: x", f"X-GitHub-Delivery: {id}", "X-GitHub-Event: pull_request")
    return "\r\n".join((line, *own, f"X-Hub-Signature-256: sha256={signature}", *more, "", "")).encode()


async def answers(served: Served, *parts: bytes, count: int) -> bytes:
    """Send parts with a moment between them, and read so many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        got = b""
        async with asyncio.timeout(5):
            while got.count(b"HTTP/1.1 ") < count and (piece := await reader.read(65536)):
                got += piece
        return got
    finally:
        writer.close()


async def keys(store: Store) -> list[Topic]:
    lease = await store.lease(SystemClock().now())
    return [lease.topic] if lease else []


def test_what_github_sends_is_ordinary() -> None:
    order = read(head("d1", LENGTH, "Accept: */*", "Content-Type: application/json") + PULL)
    assert order is not None
    assert (order.length, order.body, order.headers[b"x-github-delivery"]) == (len(PULL), PULL, b"d1")


@pytest.mark.parametrize(
    "data",
    [
        head("d1"),
        head("d1", LENGTH)[:-1],
        head("d1", LENGTH, line="POST /webhook HTTP/1.0"),
        head("d1", LENGTH, line="POST /webhook?x HTTP/1.1"),
        head("d1", LENGTH, line="PUT /webhook HTTP/1.1"),
        head("d1", LENGTH, LENGTH),
        head("d1", LENGTH, "Content-Length: 1"),
        head("d1", "Content-Length: +5"),
        head("d1", "Content-Length: 0"),
        head("d1", "Content-Length: 262144"),
        head("d1", LENGTH, "Transfer-Encoding: chunked"),
        head("d1", "transfer-encoding: chunked"),
        head("d1", LENGTH, "Expect: 100-continue"),
        head("d1", LENGTH, "Connection: close"),
        head("d1", LENGTH, "Connection: upgrade", "Upgrade: websocket"),
        head("d1", LENGTH, "X-Previewbot-Host: a.test"),
        head("d1", LENGTH, "X bad: name"),
        head("d1", LENGTH, " folded"),
        PAGE,
    ],
    ids=range(19),
)
def test_whatever_else_comes_is_not(data: bytes) -> None:
    assert read(data + PULL) is None


async def test_headers_and_bodies_may_come_in_any_pieces(served: Served, store: Store) -> None:
    whole = head("d1", LENGTH)
    for number, cut in enumerate((5, 40, len(whole) - 2)):
        named = head(f"d{number}", LENGTH)
        got = await answers(served, named[:cut], named[cut:] + PULL[:9], PULL[9:], count=1)
        assert got.startswith(ACCEPTED)
    got = await answers(served, head("d9", LENGTH) + PULL[:9], PULL[9:30], PULL[30:], count=1)
    assert got.startswith(ACCEPTED)
    assert await keys(store) == [Key(7, 42)]


async def test_requests_on_one_connection_are_answered_in_their_order(served: Served) -> None:
    """Also those that came before it was their turn, and pages among them."""
    delivery = head("d1", LENGTH) + PULL
    got = await answers(served, delivery, delivery, PAGE, delivery, count=4)
    assert [line[:3] for line in got.split(b"HTTP/1.1 ")[1:]] == [b"202", b"202", b"200", b"202"]
    got = await answers(served, delivery * 3 + PAGE[:9], PAGE[9:], count=4)
    assert [line[:3] for line in got.split(b"HTTP/1.1 ")[1:]] == [b"202", b"202", b"202", b"200"]
    assert got.count(b"content-security-policy") == 4


async def test_a_wrong_signature_is_refused_and_the_connection_goes_on(served: Served) -> None:
    wrong = head("d1", LENGTH) + PULL.replace(b"42", b"43")
    got = await answers(served, wrong, head("d1", LENGTH) + PULL, count=2)
    assert [line[:3] for line in got.split(b"HTTP/1.1 ")[1:]] == [b"401", b"202"]


async def test_a_quiet_connection_is_closed(served: Served) -> None:
    served.server.config.timeout_keep_alive = 1
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(head("d1", LENGTH) + PULL)
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(ACCEPTED)
    writer.close()


@pytest.mark.parametrize("begun", [b"", b"P", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_never_sends_a_whole_head_is_closed(served: Served, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(begun)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_that_asked_in_time_stays_open(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for _ in range(3):
        writer.write(PAGE)
        assert b"HTTP/1.1 200 " in await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.4)
    writer.close()


class Slow:
    """An inbox that takes its time, and fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go_on, self.error = asyncio.Event(), asyncio.Event(), error

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        self.begun.set()
        await self.go_on.wait()
        if self.error:
            raise self.error
        return True


async def test_a_server_that_ends_answers_what_it_began(store: Store, tmp_path: Path) -> None:
    site, slow = site_of(store, tmp_path), Slow()
    async with serving(replace(site, door=replace(site.door, inbox=slow))) as served:
        waiting = asyncio.create_task(answers(served, head("d1", LENGTH) + PULL, count=1))
        await slow.begun.wait()
        served.server.should_exit = True
        await asyncio.sleep(0.2)
        slow.go_on.set()
        got = await waiting
    assert got.startswith(ACCEPTED)
    assert b"connection: close\r\n" in got


async def test_a_bug_costs_its_own_delivery_alone(store: Store, tmp_path: Path) -> None:
    site, slow = site_of(store, tmp_path), Slow(LookupError("bug"))
    slow.go_on.set()
    async with serving(replace(site, door=replace(site.door, inbox=slow))) as served:
        got = await answers(served, head("d1", LENGTH) + PULL, PAGE, count=1)
        assert got.startswith(b"HTTP/1.1 500 ")
        assert b"bug" not in got
        assert (await answers(served, PAGE, count=1)).startswith(b"HTTP/1.1 200 ")
