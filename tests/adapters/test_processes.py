"""Starting a process, and ending it: nothing of it is left, however much it had to say."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import uvloop

from previewbot.adapters.processes import Mouth, end, start


async def _run(script: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "sh", "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )


async def test_one_whose_output_nobody_reads_any_more_is_ended() -> None:
    process = await _run("yes & yes >&2")
    assert process.stdout
    await process.stdout.read(10)
    await asyncio.sleep(0.2)  # its output now fills every buffer, and asyncio has stopped to read
    async with asyncio.timeout(5):
        await end(process)
    assert process.returncode == -9


async def test_somebody_who_left_it_and_holds_its_output_does_not_keep_us() -> None:
    process = await _run("setsid sleep 1 & sleep 20")
    await asyncio.sleep(0.2)
    async with asyncio.timeout(0.6):
        await end(process, patience=0.2)
    await process.wait()
    assert process.stdout
    assert process.stderr
    assert await process.stdout.read() + await process.stderr.read() == b""  # over once nobody holds it any more


async def test_one_that_is_over_is_left_alone() -> None:
    process = await _run("exit 3")
    await process.wait()
    await end(process)
    assert process.returncode == 3


async def _open_files() -> int:
    await asyncio.sleep(0.05)  # what is closed is let go of a moment later
    return len(list(Path("/proc/self/fd").iterdir()))


async def _life(script: str) -> tuple[bytes, bytes, int]:
    process = await start("sh", "-c", script, env={"PATH": os.defpath, "WORD": "hello"}, folder=Path("/"))
    assert process.stdout
    assert process.stderr
    said = await process.stdout.read(), await process.stderr.read(), await process.wait()
    await end(process)
    return said


@pytest.mark.parametrize("runner", [uvloop.run, asyncio.run])
def test_one_that_is_started_says_everything_and_tells_how_it_ended(runner: Callable[..., None]) -> None:
    async def look() -> None:
        assert await _life("echo $WORD; pwd; echo no >&2; exit 3") == (b"hello\n/\n", b"no\n", 3)
        assert await _life("kill -9 $$") == (b"", b"", -9)
        printed, _, _ = await _life("head -c 3000000 /dev/zero")
        assert len(printed) == 3_000_000
        before = await _open_files()
        await asyncio.gather(*(_life("sleep 0.05") for _ in range(10)))
        assert await _open_files() <= before

    runner(look())


@pytest.mark.parametrize("runner", [uvloop.run, asyncio.run])
def test_one_that_is_started_ends_with_its_whole_group(runner: Callable[..., None]) -> None:
    async def look() -> None:
        await _life("true")  # the loop opens something for the first of all
        before = await _open_files()
        process = await start("sh", "-c", "sleep 20 & echo $!; sleep 20", env={"PATH": os.defpath}, folder=Path("/"))
        assert process.stdout
        child = int(await process.stdout.readline())
        await end(process)
        assert process.returncode == -9
        await asyncio.sleep(0.1)
        state = Path(f"/proc/{child}/stat")
        assert not state.exists() or " Z " in state.read_text()
        assert await _open_files() <= before

    runner(look())


class Crowded(Mouth):
    """One among other threads, which open files in whatever moment is the worst."""

    opened: ClassVar[list[int]] = []

    def close(self) -> None:
        self.opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(20))
        super().close()


@pytest.mark.parametrize("runner", [uvloop.run, asyncio.run])
def test_a_pipe_that_is_over_is_closed_once_and_takes_no_file_of_others_along(runner: Callable[..., None]) -> None:
    async def look() -> None:
        loop, (ours, theirs) = asyncio.get_running_loop(), os.pipe()
        await loop.connect_read_pipe(asyncio.Protocol, Crowded(os.fdopen(ours, "rb"), loop))
        os.close(theirs)
        await asyncio.sleep(0.1)
        assert Crowded.opened
        while Crowded.opened:
            os.close(Crowded.opened.pop())

    runner(look())


async def test_one_that_is_not_there_is_no_process() -> None:
    with pytest.raises(FileNotFoundError):
        await start("/nothing/here", env={}, folder=Path("/"))
    with pytest.raises(FileNotFoundError):
        await start("sh", env={"PATH": os.defpath}, folder=Path("/nothing"))
