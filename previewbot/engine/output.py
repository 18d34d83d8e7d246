"""What programs said that ran to their end, kept as a log that people can read: without any secret, and bounded."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from previewbot.core.masking import Mask
from previewbot.core.model import ReleaseSpec
from previewbot.engine import vault
from previewbot.engine.world import World

log = structlog.get_logger(__name__)

_MOST = 1000
"""Lines of each program that are kept."""


async def hear(world: World, release: ReleaseSpec, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Read the last lines of some services of a release."""
    mask = Mask(await vault.words(world, release))
    said = await asyncio.gather(
        *(world.runtime.tail(release.key, release.revision, each, lines=_MOST) for each in services)
    )
    return {name: mask.lines(lines) for name, lines in zip(services, said, strict=True)}


async def keep(world: World, said: Mapping[str, Sequence[str]]) -> str | None:
    """Write what was said, and return the unguessable name of its log; ``None`` where nobody said anything."""
    parts = [f"--- {name}\n" + "\n".join(lines) for name, lines in said.items() if lines]
    if not parts:
        return None
    name = secrets.token_urlsafe(24)
    try:
        await asyncio.to_thread(_write, world.logs.path(name), "\n\n".join(parts) + "\n")
    except OSError as error:  # a full disk ends the log, not the release
        log.warning("output not kept", why=error.strerror)
        return None
    return name


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as opened:
        opened.write(text)
