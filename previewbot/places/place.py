"""What a place is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from previewbot.ports import Builder, Clock, FrontDoor, Logs, Runtime, Source


@dataclass(frozen=True, slots=True)
class Tools:
    """What every place works with."""

    source: Source
    logs: Logs
    clock: Clock


@dataclass(frozen=True, slots=True)
class Place:
    """One place, open."""

    builder: Builder
    runtime: Runtime
    front_door: FrontDoor
    find: Callable[[str], Sequence[str]]
    """Where a host lives, for a front door that asks previewbot; nowhere, where it does not."""
