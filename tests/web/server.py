"""The whole web application on a real server, for as long as a test needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.local import LogFiles, SystemClock
from previewbot.ports import Store
from previewbot.telemetry import Metrics
from previewbot.web.app import Site
from previewbot.web.pages import Pages
from previewbot.web.server import Server
from previewbot.web.webhook import Door

SECRET = b"secret"


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    port: int
    site: Site
    server: Server


def site_of(store: Store, folder: Path, *, token: bytes | None = None) -> Site:
    """Everything that is served, over a store and a folder of logs; ``app.test`` is the one host that lives."""

    async def nothing() -> None:
        return None

    metrics = Metrics()
    door = Door(store, SystemClock(), (SECRET,), metrics, deadline=timedelta(seconds=0.5))
    pages = Pages(store, LogFiles(folder), SystemClock(), {"app.test": ("127.0.0.1:9", "127.0.0.1:10")}.get, token)
    return Site(door, pages, metrics, nothing, nothing)


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Served]:
    """Serve a site on a free port of the loopback."""
    server = Server(site, host="127.0.0.1", port=0)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(port, site, server)
    finally:
        server.should_exit = True
        await asyncio.wait_for(running, 10)
