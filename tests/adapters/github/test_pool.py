"""On a real socket: few connections for many calls, and a body that breaks off is never taken for an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.core.errors import Transient
from tests.adapters.github.scripted import KEY, NOW, SHOP, FixedClock, pull

TOKEN = {"token": "t", "expires_at": (NOW + timedelta(hours=1)).isoformat()}


class Server:
    """Speaks HTTP by hand: ``missing`` is how many bytes of each pull request it keeps to itself."""

    def __init__(self, missing: int = 0) -> None:
        self.missing = missing
        self.connections = 0
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                self.requests += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        whole = json.dumps(TOKEN if head.startswith(b"POST") else pull()).encode()
        part = whole if head.startswith(b"POST") else whole[: len(whole) - self.missing]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(whole), part))
        await writer.drain()
        return part == whole


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[GitHubHub]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    hub = GitHubHub(AppCredentials(1, KEY, url), clock=FixedClock())
    try:
        yield hub
    finally:
        await hub.aclose()
        listening.close()
        await listening.wait_closed()


async def test_many_calls_one_after_another_share_one_connection() -> None:
    server = Server()
    async with connected(server) as hub:
        for _ in range(20):
            await hub.pull(SHOP, 42)
    assert (server.requests, server.connections) == (21, 1)


async def test_half_a_body_is_transient() -> None:
    async with connected(Server(missing=10)) as hub:
        with pytest.raises(Transient, match="could not be reached"):
            await hub.pull(SHOP, 42)


async def test_nobody_listening_is_transient() -> None:
    hub = GitHubHub(AppCredentials(1, KEY, "http://127.0.0.1:1"), clock=FixedClock())
    with pytest.raises(Transient, match="ConnectError"):
        await hub.pull(SHOP, 42)
    await hub.aclose()
