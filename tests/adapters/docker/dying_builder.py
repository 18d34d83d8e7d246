"""Starts one build and waits to be killed: ``python dying_builder.py URL FOLDER``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.engine import connect
from previewbot.adapters.local import SystemClock
from previewbot.core.model import BuildRecord
from tests.fixtures.engine import BASE, FolderLogs, FolderSource, order


async def main(url: str, folder: Path) -> None:
    async def ignore(_: BuildRecord) -> None:
        return

    source = FolderSource(folder, {"c1": {"Dockerfile": f"FROM {BASE}\nRUN echo {folder.name} && sleep 1000\n"}})
    builder = DockerBuilder(connect(url), instance="dying", source=source, logs=FolderLogs(folder), clock=SystemClock())
    await builder.start(order("image-1", "c1"), log="dying", finished=ignore)
    await asyncio.sleep(1000)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
