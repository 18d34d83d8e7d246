"""A health command, run inside its container: exit code 0 is health. The engine cannot end one that hangs.

So one that takes too long is waited for before another is begun, or a deaf program would fill up with them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import docker
from docker.errors import APIError, NotFound

from previewbot.adapters.docker.engine import Engine

_LIMIT = 5.0
"""Seconds that one may take, as a look over HTTP may."""
_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWER = 0.01, 0.25, 1.5


@dataclass(slots=True)
class Checkup:
    """The health command of one container; never two at once."""

    engine: Engine
    id: str
    command: Sequence[str]
    _running: str | None = None

    async def run(self) -> str | None:
        """Say in a few words what is wrong, or ``None`` where the command ended well."""
        try:
            if self._running is None:
                self._running = await self.engine.call(self._begin)
            code = await self._end(self._running)
        except (APIError, NotFound):
            self._running = None
            return "does not run"
        if code is None:
            return f"has a health command that takes longer than {_LIMIT:.0f} s"
        self._running = None
        return f"has a health command that exits with code {code}" if code else None

    def _begin(self, client: docker.APIClient) -> str:
        # Attached for a moment: of one that nobody was ever attached to, Podman does not tell the end.
        made = str(client.exec_create(self.id, list(self.command), stderr=False)["Id"])
        client.exec_start(made, socket=True).close()
        return made

    async def _end(self, run: str) -> int | None:
        """Wait for the exit code; ``None`` where it takes too long."""
        end, pause = time.monotonic() + _LIMIT, _FIRST_PAUSE
        while True:
            found = await self.engine.call(lambda client: client.exec_inspect(run))
            if not found["Running"] and found["ExitCode"] is not None:
                return int(found["ExitCode"])
            if time.monotonic() > end:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * _SLOWER, _LONGEST_PAUSE)
