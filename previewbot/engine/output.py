"""What programs said that ran to their end, kept as a log that people can read: without any secret, and bounded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_urlsafe

import structlog

from previewbot.core.masking import Mask
from previewbot.core.situation import Held
from previewbot.engine import vault
from previewbot.engine.world import World
from previewbot.ports import Secrets
from previewbot.wire import answers

log = structlog.get_logger(__name__)

_MOST = 1000
"""Lines of each program that are kept."""


async def hear(world: World, held: Held, revision: str, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Read the last lines of some services of a release."""
    said = await asyncio.gather(*(world.runtime.tail(held.key, revision, each, lines=_MOST) for each in services))
    return await hide(world.secrets, held, dict(zip(services, said, strict=True)))


async def hide(secrets: Secrets, held: Held, said: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Take every secret out of what services said; where one of them cannot be known, nothing is left but why."""
    try:
        mask = Mask(await vault.worth_hiding(secrets, held))
    except vault.Changed as changed:
        return {name: [answers.withheld(changed.names)] if lines else [] for name, lines in said.items()}
    return {name: mask.lines(lines) for name, lines in said.items()}


async def keep(world: World, said: Mapping[str, Sequence[str]]) -> str | None:
    """Write what was said, and return the unguessable name of its log; ``None`` where nobody said anything."""
    parts = [f"--- {name}\n" + "\n".join(lines) for name, lines in said.items() if lines]
    if not parts:
        return None
    name = token_urlsafe(24)
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
