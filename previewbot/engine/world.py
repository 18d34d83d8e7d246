"""Everything outside that the engine works with, in one frozen bag, and the operator's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from previewbot.core.blueprint import Filters
from previewbot.core.desire import Address
from previewbot.core.resources import Shelf
from previewbot.ports import Builder, Clock, Cloud, FrontDoor, Hub, Logs, Meter, Runtime, Secrets, Source, Store


@dataclass(frozen=True, slots=True)
class World:
    """The ports. Nothing in here is ever swapped while previewbot runs."""

    hub: Hub
    source: Source
    builder: Builder
    runtime: Runtime
    front_door: FrontDoor
    store: Store
    logs: Logs
    clock: Clock
    meter: Meter
    secrets: Secrets
    cloud: Cloud | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules."""

    address: Address = field(default_factory=Address)
    base_url: str = "http://localhost:8000"
    """Where previewbot's own pages are."""
    apps: frozenset[str] = frozenset()
    """Logins of GitHub Apps whose pull requests get previews."""
    filters: Filters = field(default_factory=Filters)
    shelf: Shelf = field(default_factory=Shelf)
    """What resources are made of."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """App to the repository that may have its secrets, where that is not called like it."""
    drain: timedelta = timedelta(seconds=3)
    """How long an old release is kept after its successor took over."""
    stay: timedelta = timedelta(seconds=2)
    """How long a pass stays for the end of a build or a start, before it leaves that to another pass."""
    keep_images: timedelta = timedelta(days=3)
    """How long an image is kept that nothing wants."""
    keep_history: timedelta = timedelta(days=30)
    """How long environments that are gone, and deliveries, are remembered."""
