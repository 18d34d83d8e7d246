"""A health command, run inside its container: exit code 0 is health. The engine cannot end one that hangs.

So one that takes too long is waited for before another is begun, or a deaf program would fill up with them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import docker
import urllib3
from docker.errors import APIError, NotFound

from previewbot.adapters.docker.engine import Engine, answer

_LIMIT = 5.0
"""Seconds that one may take, as a look over HTTP may."""
_CHUNK = 64 * 1024
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
        end = time.monotonic() + _LIMIT
        try:
            if self._running is None:
                self._running = await self.engine.call(lambda client: self._begin(client, end), slow=True)
            code = await self._end(self._running, end)
        except (APIError, NotFound):
            self._running = None
            return "does not run"
        if code is None:
            return f"has a health command that takes longer than {_LIMIT:.0f} s"
        self._running = None
        return f"has a health command that exits with code {code}" if code else None

    def _begin(self, client: docker.APIClient, end: float) -> str:
        """Begin it, and hear it out: one that says more than somebody takes from it may never come to its end."""
        made = str(client.exec_create(self.id, list(self.command), stderr=False)["Id"])
        # Not heard, but waited for, Podman would not tell that it ended.
        with (
            answer(client, "POST", f"exec/{made}/start", json={"Detach": False, "Tty": False}, timeout=_LIMIT) as said,
            suppress(urllib3.exceptions.HTTPError, OSError),  # it says nothing for too long
        ):
            while time.monotonic() < end and said.raw.read1(_CHUNK):
                pass
        return made

    async def _end(self, run: str, end: float) -> int | None:
        """Wait for the exit code; ``None`` where it takes too long."""
        pause = _FIRST_PAUSE
        while True:
            found = await self.engine.call(lambda client: client.exec_inspect(run))
            if not found["Running"] and found["ExitCode"] is not None:
                return int(found["ExitCode"])
            if time.monotonic() > end:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * _SLOWER, _LONGEST_PAUSE)
