"""Images that are ordered, and builds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from previewbot.core.blueprint import Build
from previewbot.core.ids import Key
from previewbot.core.model.github import Repository
from previewbot.core.secrets import Seal


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """An image that should exist: ``image`` is a hash of everything that goes into it."""

    image: str
    key: Key
    """The environment that wants it first."""
    service: str
    """The first service that wants it."""
    repository: Repository
    commit: str
    build: Build
    fresh: bool = False
    """Built without any cache: somebody wrote ``/redeploy``."""
    sealed: Mapping[str, Seal] = field(default_factory=dict)
    """The secrets that its steps may mount; another value is no reason to build again."""


class BuildState(StrEnum):
    """How far a build is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build, running or over. ``log`` is the unguessable name of its log page."""

    image: str
    key: Key
    service: str
    commit: str
    log: str
    state: BuildState
    started_at: datetime
    finished_at: datetime | None = None
    digest: str | None = None
    """What to run, immutable: an image ID or a registry digest. Set when it succeeded."""
    step: str | None = None
    """The step that it is at, or that it failed at."""
    lines: tuple[str, ...] = ()
    """The last lines of the step that failed."""
    timed_out: bool = False
    """It failed because its time was up."""

    @property
    def took(self) -> timedelta | None:
        """How long it ran, once it is over."""
        return self.finished_at - self.started_at if self.finished_at else None
