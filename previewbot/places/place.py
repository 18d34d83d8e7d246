"""What a place is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from previewbot.ports import Builder, Clock, FrontDoor, Logs, Runtime, Source


@dataclass(frozen=True, slots=True)
class Tools:
    """What every place works with."""

    source: Source
    logs: Logs
    clock: Clock


async def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Place:
    """One place, open."""

    builder: Builder
    runtime: Runtime
    front_door: FrontDoor
    find: Callable[[str], Sequence[str]]
    """Where a host lives, for a front door that asks previewbot; nowhere, where it does not."""
    chores: Sequence[asyncio.Task[None]] = ()
    """What goes on for as long as the place is open; nothing is true any more once one of them failed."""
    lacks: Callable[[], Awaitable[Sequence[str]]] = _nothing
    """Asks what previewbot may not do there, or the place does not have, of what it needs; a sentence each."""
