"""Ending a process, and everything that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

_CHUNK = 64 * 1024
_HELD_OPEN = 5.0
"""Seconds that somebody who left the process group may still hold its output open."""


async def end(process: asyncio.subprocess.Process, *, patience: float = _HELD_OPEN) -> None:
    """Leave no process behind; it was started in a session of its own.

    What it still had to say is read and thrown away: asyncio takes a process for ended only when its pipes are.
    """
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await asyncio.gather(process.wait(), _drain(process.stdout), _drain(process.stderr))


async def _drain(stream: asyncio.StreamReader | None) -> None:
    while stream and await stream.read(_CHUNK):
        pass
