"""The web server: uvicorn on one address, ended by our signals without waiting for those who read along."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from functools import partial
from typing import cast

import uvicorn

from previewbot.web.app import Site, create_app
from previewbot.web.hatch import Hatch

_GRACE = 5
"""Seconds that requests under way get to be answered."""


class Server(uvicorn.Server):
    """Serves a site until a signal, or ``stop``: what is under way is finished, and who follows a log is let go."""

    def __init__(self, site: Site, *, host: str, port: int) -> None:
        config = uvicorn.Config(
            create_app(site),
            host=host,
            port=port,
            http=cast("type[asyncio.Protocol]", partial(Hatch, site.door, site.pages.lead)),
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE,
            h11_max_incomplete_event_size=64 * 1024,
        )
        super().__init__(config)
        self._closing = site.pages.closing

    def stop(self) -> None:
        """End gently; said again, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._closing.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of everybody who would stay for ever, whatever ended the server."""
        self._closing.set()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals for as long as the server runs; uvicorn would send them again, and end work half done."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
