"""Starting a process, and ending it with everything that it started.

uvloop starts one by copying the whole of previewbot first, which takes ten times as long as the start itself and stops
everything else meanwhile. ``subprocess`` copies nothing, so the start is left to it wherever the system tells of ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

_CHUNK = 64 * 1024
_HELD_OPEN = 5.0
"""Seconds that somebody who left the process group may still hold its output open."""


class Process(Protocol):
    """A process that was started, as asyncio sees it."""

    @property
    def pid(self) -> int:
        """Its number, and that of its group."""

    @property
    def returncode(self) -> int | None:
        """How it ended: its exit code, or minus the number of a signal."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it prints."""

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        """What it complains of, unless that is printed as well."""

    async def wait(self) -> int:
        """Wait for its end; returns ``returncode``."""


async def start(
    *command: str, env: Mapping[str, str], folder: Path, stderr: int = subprocess.PIPE, restore_signals: bool = True
) -> Process:
    """Start a command in a session of its own, without input; what it prints is to be read. Raises ``OSError``."""
    options: dict[str, Any] = {
        "env": dict(env),
        "cwd": folder,
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": stderr,
        "start_new_session": True,
        "restore_signals": restore_signals,
    }
    if not hasattr(os, "pidfd_open"):
        return await asyncio.create_subprocess_exec(*command, **options)
    # By the loop's own thread: a child that is to die with its parent dies with the thread that started it.
    child = _Child(subprocess.Popen(command, **options))  # noqa: ASYNC220 - takes a millisecond
    try:
        await child.listen()
    except BaseException:
        await end(child)
        raise
    return child


class _Child:
    """A process whose end the system tells through a file descriptor (Linux)."""

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pipes: list[asyncio.BaseTransport] = []
        self._sign = os.pidfd_open(started.pid)
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._loop.add_reader(self._sign, self._note_end)

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def returncode(self) -> int | None:
        return self._started.returncode

    async def listen(self) -> None:
        """Begin to read."""
        self.stdout, self.stderr = await self._read(self._started.stdout), await self._read(self._started.stderr)

    async def wait(self) -> int:
        await self._ended.wait()
        return self._started.returncode

    def close(self) -> None:
        """Read no more."""
        for pipe in self._pipes:
            pipe.close()

    async def _read(self, pipe: IO[bytes] | None) -> asyncio.StreamReader | None:
        if pipe is None:
            return None
        reader, mouth = asyncio.StreamReader(_CHUNK), Mouth(pipe, self._loop)
        transport, _ = await self._loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), mouth)
        self._pipes.append(transport)
        return reader

    def _note_end(self) -> None:
        self._loop.remove_reader(self._sign)
        os.close(self._sign)
        self._started.wait()
        self._ended.set()


class Mouth:
    """The end of a pipe that we read, closed exactly once.

    asyncio closes it through its owner. uvloop closes the descriptor by itself, and then has the owner do it again, by
    when another thread may have opened a file of the same number, and would lose that.
    """

    def __init__(self, pipe: IO[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._descriptor: int | None = os.dup(pipe.fileno())
        self._is_closed_by_loop = not isinstance(loop, asyncio.SelectorEventLoop)
        pipe.close()

    def fileno(self) -> int:
        """Tell its number."""
        return -1 if self._descriptor is None else self._descriptor

    def close(self) -> None:
        """Close it, unless the loop does that."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and not self._is_closed_by_loop:
            os.close(descriptor)


async def end(process: Process, *, patience: float = _HELD_OPEN) -> None:
    """Leave no process behind; it was started in a session of its own.

    What it still had to say is read and thrown away: asyncio takes a process for ended only when its pipes are.
    """
    try:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await asyncio.gather(process.wait(), _drain(process.stdout), _drain(process.stderr))
    finally:
        if isinstance(process, _Child):
            process.close()


async def _drain(stream: asyncio.StreamReader | None) -> None:
    while stream and await stream.read(_CHUNK):
        pass
