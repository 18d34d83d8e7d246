"""One look at a port: real sockets on loopback, and every way in which they can disappoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from previewbot.adapters.docker.facts import Address
from previewbot.adapters.docker.probe import Door, Patience, knock

LONG = Patience(connect=60, answer=60, stays_open=60)
"""So that what is seen does not depend on how busy this machine is."""

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


def _door(port: int, path: str | None = None, *, published: bool = True, host: str | None = None) -> Door:
    """A door that stands for port 8080 of a container."""
    return Door(8080, Address("127.0.0.1", port, is_published=published), host, path)


@asynccontextmanager
async def _listening(answer: bytes | None, seen: list[bytes] | None = None) -> AsyncIterator[int]:
    """Listen; ``None`` stays silent, bytes are sent after the first line of a request, and the connection ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if answer is None:
                await reader.read()
            else:
                request = await reader.readuntil(b"\r\n\r\n") if answer else b""
                if seen is not None:
                    seen.append(request)
                writer.write(answer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_program_that_listens_and_waits_is_open() -> None:
    async with _listening(None) as port:
        assert await knock(_door(port), replace(LONG, stays_open=0.01)) is None


async def test_a_program_at_its_own_address_listens_as_soon_as_it_accepts() -> None:
    for answer in (None, b""):
        async with _listening(answer) as port:
            assert await knock(_door(port, published=False), LONG) is None


async def test_a_program_that_never_answers_is_not_waited_for_for_ever() -> None:
    async with _listening(None) as port:
        assert await knock(_door(port, "/up"), replace(LONG, answer=0.01)) == "does not answer at /up"


async def test_a_proxy_that_accepts_and_hangs_up_is_not_a_program_that_listens() -> None:
    async with _listening(b"") as port:
        assert await knock(_door(port), LONG) == "does not listen on port 8080"
        assert await knock(_door(port, "/up"), LONG) == "does not listen on port 8080"


async def test_where_nobody_accepts_nobody_listens() -> None:
    async with _listening(None) as port:
        pass
    assert await knock(_door(port, published=False), LONG) == "does not listen on port 8080"
    assert await knock(_door(port, "/"), LONG) == "does not listen on port 8080"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 204\r\n\r\n", None),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", None),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers 400 at /up"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "answers 500 at /up"),
        (b"220 mail ESMTP\r\n", "does not speak HTTP on port 8080"),
        (b"HTTP/1.1\r\n", "does not speak HTTP on port 8080"),
        (b"x" * 100_000, "does not speak HTTP on port 8080"),
    ],
)
async def test_a_health_path_must_answer_below_400(answer: bytes, told: str | None) -> None:
    async with _listening(answer) as port:
        assert await knock(_door(port, "/up"), LONG) == told


async def test_the_health_path_is_asked_under_the_public_host_name() -> None:
    seen: list[bytes] = []
    async with _listening(b"HTTP/1.1 200 OK\r\n\r\n", seen) as port:
        await knock(_door(port, "/up?x=1", host="pr-1-shop.localhost"), LONG)
    assert seen[0].startswith(b"GET /up?x=1 HTTP/1.1\r\nHost: pr-1-shop.localhost\r\n")
