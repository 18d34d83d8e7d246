"""The short way in takes what GitHub sends and leaves everything else to the web server, without losing a byte."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from previewbot.adapters.local import SystemClock
from previewbot.core.errors import Transient
from previewbot.core.ids import Key, Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery, Records, Store
from previewbot.web.hatch import read
from tests.web.server import SECRET, Served, serving, site_of

PULL = json.dumps({"action": "opened", "number": 42, "repository": {"id": 7}}).encode()
LENGTH = f"Content-Length: {len(PULL)}"
QUESTION = b"GET /front-door HTTP/1.1\r\nHost: localhost\r\nX-Previewbot-Host: %s\r\n\r\n"
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
    assert not order.is_question


@pytest.mark.parametrize("usual", ["keep-alive", "Keep-Alive"])
def test_to_say_that_a_connection_stays_open_is_ordinary(usual: str) -> None:
    assert read(head("d1", LENGTH, f"Connection: {usual}") + PULL) is not None
    assert read((QUESTION % b"app.test").replace(b"Host: localhost", f"Connection: {usual}".encode())) is not None


def test_what_the_front_door_asks_is_ordinary() -> None:
    asked = QUESTION % b"app.test"
    order = read(asked + PAGE)
    assert order is not None
    assert (order.is_question, order.length, order.body) == (True, 0, PAGE)
    assert order.headers[b"x-previewbot-host"] == b"app.test"
    assert read(asked.replace(b"Host: localhost", b"Content-Length: 0")) is not None


@pytest.mark.parametrize(
    "odd",
    [
        b"Connection: close",
        b"Connection: keep-alive, upgrade",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 1",
        b"Expect: x",
    ],
)
def test_an_odd_question_is_left_to_the_web_server(odd: bytes) -> None:
    asked = QUESTION % b"app.test"
    assert read(asked.replace(b"Host: localhost", odd)) is None
    assert read(asked.replace(b"X-Previewbot-Host: app.test", odd)) is None
    assert read(asked[:-1]) is None
    assert read(b"GET /front-door HTTP/1.1\r\nHost: localhost\r\n\r\n") is None


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


async def test_questions_and_deliveries_may_share_a_connection(served: Served) -> None:
    lives, lacks, delivery = QUESTION % b"APP.test:8080", QUESTION % b"other.test", head("d1", LENGTH) + PULL
    got = await answers(served, lives, delivery + lacks, lives * 2, PAGE, count=6)
    assert [line[:3] for line in got.split(b"HTTP/1.1 ")[1:]] == [b"204", b"202", b"404", b"204", b"204", b"200"]
    assert got.count(b"x-previewbot-upstream: 127.0.0.1:9\r\nx-previewbot-other: 127.0.0.1:10\r\n") == 3
    assert got.count(b"x-robots-tag: noindex") == 6
    assert b"No preview lives here" in got


@pytest.mark.parametrize("odd", [b"", b"X-Previewbot-Down: 1\r\n", b"Content-Length: 0\r\n"])
async def test_both_ways_give_the_same_answer(served: Served, odd: bytes) -> None:
    asked = (QUESTION % b"app.test").replace(b"Host: localhost\r\n", b"Host: localhost\r\n" + odd)
    assert read(asked) is not None
    short, long = [
        await answers(served, each, count=1)
        for each in (asked, asked.replace(b"\r\n\r\n", b"\r\nTE: x\r\nExpect: x\r\n\r\n"))
    ]

    def told(answer: bytes) -> list[bytes]:
        return sorted(line.lower() for line in answer.split(b"\r\n") if not line.lower().startswith(b"date:"))

    assert told(short) == told(long)


async def test_a_question_is_told_that_the_database_is_away(store: Store, tmp_path: Path) -> None:
    class Away:
        async def find_host(self, host: str) -> Key | None:
            raise Transient("away")

    site = site_of(store, tmp_path)
    pages = replace(site.pages, records=cast("Records", Away()))
    async with serving(replace(site, pages=pages)) as served:
        got = await answers(served, QUESTION % b"other.test", QUESTION % b"app.test", count=2)
    assert [line[:3] for line in got.split(b"HTTP/1.1 ")[1:]] == [b"503", b"204"]
    assert b"try again in a moment" in got


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
