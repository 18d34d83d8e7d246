"""The web server on a real socket: it ends when it is told to, whoever still reads along."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from previewbot.adapters.local import SystemClock
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState
from previewbot.ports import Store
from previewbot.web.server import Server
from tests.web.server import site_of

LOG = "n" * 32


def by_signal(_: Server) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def by_order(server: Server) -> None:
    server.stop()


def by_a_dead_worker(server: Server) -> None:
    server.should_exit = True


@pytest.mark.parametrize("end", [by_signal, by_order, by_a_dead_worker])
async def test_an_open_page_of_a_log_does_not_hold_up_the_end(
    store: Store, tmp_path: Path, end: Callable[[Server], None]
) -> None:
    build = BuildRecord("image", Key(7, 42), "web", "c" * 40, LOG, BuildState.RUNNING, SystemClock().now())
    await store.save_build(build)
    (tmp_path / f"{LOG}.log").write_text("step 1\n")
    server = Server(site_of(store, tmp_path), host="127.0.0.1", port=0)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
        client.stream("GET", f"/logs/{LOG}/stream") as answer,
    ):
        parts = answer.aiter_text()
        assert "step 1" in await anext(parts)
        end(server)
        async with asyncio.timeout(3):  # less than the grace that requests under way get
            rest = "".join([part async for part in parts])
            await serving
    assert "event: end" not in rest


async def test_a_second_signal_ends_it_at_once(store: Store, tmp_path: Path) -> None:
    server = Server(site_of(store, tmp_path), host="127.0.0.1", port=0)
    server.stop()
    assert (server.should_exit, server.force_exit) == (True, False)
    server.stop()
    assert server.force_exit
