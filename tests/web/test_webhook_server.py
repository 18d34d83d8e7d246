"""The door on a real server, against senders that do not keep to HTTP or take their time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from previewbot.adapters.local import SystemClock
from previewbot.core.ids import Key
from previewbot.ports import Store
from previewbot.web.webhook import BODY_LIMIT
from tests.web.server import SECRET, Served, serving, site_of

PULL = json.dumps({"action": "opened", "number": 42, "repository": {"id": 7}}).encode()


@pytest.fixture
async def served(store: Store, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(site_of(store, tmp_path)) as made:
        yield made


def head(body: bytes, *more: str) -> bytes:
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    lines = (
        "POST /webhook HTTP/1.1",
        "Host: localhost",
        "X-GitHub-Delivery: d1",
        "X-GitHub-Event: pull_request",
        f"X-Hub-Signature-256: sha256={signature}",
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode()


async def talk(served: Served, *parts: bytes, pause: float = 0.0) -> tuple[int, bytes]:
    """Send parts, and read until the server hangs up or is silent for a second; returns status and everything."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    got = bytearray()

    async def listen() -> None:
        while piece := await reader.read(65536):
            got.extend(piece)
        got.extend(b"<closed>")

    listening = asyncio.create_task(listen())
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
            if listening.done():
                break
        await asyncio.wait_for(listening, 1)
    except TimeoutError:
        pass
    except ConnectionError:
        got.extend(b"<closed>")
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()
    return int(got[9:12] or 0) if got.startswith(b"HTTP") else 0, bytes(got)


async def works(served: Served, store: Store) -> bool:
    status, _ = await talk(served, head(PULL, f"Content-Length: {len(PULL)}", "Connection: close") + PULL)
    lease = await store.lease(SystemClock().now())
    return status == 202 and lease is not None and lease.topic == Key(7, 42)


async def test_a_delivery_in_chunks_is_accepted(served: Served, store: Store) -> None:
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (PULL[:10], PULL[10:])) + b"0\r\n\r\n"
    status, _ = await talk(served, head(PULL, "Transfer-Encoding: chunked", "Connection: close") + chunked)
    assert status == 202
    lease = await store.lease(SystemClock().now())
    assert lease is not None
    assert lease.topic == Key(7, 42)


async def test_a_body_that_drips_is_given_up_and_its_connection_closed(served: Served, store: Store) -> None:
    drips = (bytes([byte]) for byte in PULL)
    status, got = await talk(served, head(PULL, "Content-Length: 5000"), *drips, pause=0.02)
    assert status == 408
    assert got.endswith(b"<closed>")
    assert await works(served, store)


async def test_a_length_that_is_too_long_ends_at_once(served: Served, store: Store) -> None:
    status, got = await talk(served, head(PULL, f"Content-Length: {BODY_LIMIT + 1}") + PULL)
    assert status == 413
    assert got.endswith(b"<closed>")
    assert await works(served, store)


async def test_chunks_without_end_stop_at_the_limit(served: Served, store: Store) -> None:
    piece = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    status, got = await talk(served, head(b"", "Transfer-Encoding: chunked"), *[piece] * 40)
    assert (status, got.endswith(b"<closed>")) in [(413, True), (0, True)]  # it may hang up before it is read
    assert await works(served, store)


async def test_a_body_shorter_than_it_says_waits_no_longer_than_the_deadline(served: Served, store: Store) -> None:
    status, _ = await talk(served, head(PULL, f"Content-Length: {len(PULL) + 1}") + PULL)
    assert status == 408
    assert await works(served, store)


async def test_a_body_longer_than_it_says_is_no_second_request(served: Served, store: Store) -> None:
    smuggled = b"GET /metrics HTTP/1.1\r\nX: "
    status, got = await talk(served, head(PULL, f"Content-Length: {len(PULL)}") + PULL + b"\x00" + smuggled)
    assert status in (202, 400)
    assert b"previewbot_deliveries" not in got


async def test_two_lengths_are_refused(served: Served, store: Store) -> None:
    status, _ = await talk(served, head(PULL, "Content-Length: 5", f"Content-Length: {len(PULL)}") + PULL)
    assert status == 400
    assert await works(served, store)


async def test_a_length_and_chunks_together_are_refused(served: Served, store: Store) -> None:
    status, _ = await talk(served, head(PULL, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
    assert status == 400
    assert await works(served, store)


async def test_a_header_of_100_kb_does_no_harm(served: Served, store: Store) -> None:
    large = head(PULL, f"X-Large: {'x' * 100_000}", f"Content-Length: {len(PULL)}", "Connection: close")
    status, _ = await talk(served, large + PULL)
    assert status in (202, 400, 431)
    assert await works(served, store)


async def test_what_is_no_http_at_all_is_refused(served: Served, store: Store) -> None:
    status, _ = await talk(served, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert status == 400
    assert await works(served, store)


async def test_a_sender_that_leaves_in_the_middle_leaves_nothing_behind(served: Served, store: Store) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(head(PULL, "Content-Length: 5000") + PULL)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await store.lease(SystemClock().now()) is None
    assert await works(served, store)
