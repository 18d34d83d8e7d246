"""Calling a command that builds: it dies with previewbot, and with it everything that it started."""

from __future__ import annotations

import codecs
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from previewbot.adapters.building.jobs import Job
from previewbot.adapters.processes import Process, end, start
from previewbot.core.masking import Mask

_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024


def leash() -> list[str]:
    """Make a command die with previewbot, even where previewbot is killed (Linux: ``PR_SET_PDEATHSIG``)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


async def run(arguments: Sequence[str], *, env: Mapping[str, str], folder: Path, job: Job) -> int:
    """Run a command to its end, write down and read what it says, and return its exit code.

    Cancelled, it kills the command with everything that the command started.
    """
    process = await start(*arguments, env=env, folder=folder, stderr=subprocess.STDOUT)
    try:
        await _follow(job, process)
        return await process.wait()
    finally:
        await end(process)


async def _hidden(job: Job, process: Process) -> AsyncIterator[bytes]:
    """What a command says, in pieces, without the secrets of the build."""
    mask, decoder = Mask(job.secrets.values()), codecs.getincrementaldecoder("utf-8")("replace")
    while process.stdout and (chunk := await process.stdout.read(_CHUNK)):
        yield mask.feed(decoder.decode(chunk)).encode() if job.secrets else chunk
    if job.secrets:
        yield (mask.feed(decoder.decode(b"", final=True)) + mask.finish()).encode()


async def _follow(job: Job, process: Process) -> None:
    rest = b""
    async for chunk in _hidden(job, process):
        job.log.write(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[-_LONGEST_LINE:]
        for line in lines:
            job.progress.read(line.decode("utf-8", "replace"))
        job.note(job.progress.step)
    job.progress.read(rest.decode("utf-8", "replace"))
