"""Ending a process: nothing of it is left, however much it had to say."""

from __future__ import annotations

import asyncio

from previewbot.adapters.processes import end


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
    await process.wait()  # that is once nobody holds its output any more


async def test_one_that_is_over_is_left_alone() -> None:
    process = await _run("exit 3")
    await process.wait()
    await end(process)
    assert process.returncode == 3
