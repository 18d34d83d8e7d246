"""What previewbot alone knows of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from previewbot.core.ids import Key
from previewbot.core.model.observed import Removed
from previewbot.core.model.status import Status


@dataclass(frozen=True, slots=True)
class Published:
    """A text that GitHub shows: where, and the hash of what it last said."""

    id: int
    digest: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A GitHub deployment of one commit, and the last state it was given."""

    id: int
    commit: str
    state: str


@dataclass(frozen=True, slots=True)
class Redeploy:
    """A rebuild from scratch that somebody asked for: it holds for one commit."""

    ask: int
    commit: str


@dataclass(frozen=True, slots=True)
class Record:
    """What previewbot remembers of one environment. Losing it costs history, never an environment."""

    key: Key
    repository_name: str = ""
    app: str | None = None
    status: Status | None = None
    triggered_at: datetime | None = None
    """When the delivery that brought ``commit``, or asked for it again, was accepted."""
    commit: str | None = None
    """The newest commit that was looked at."""
    commits: int = 0
    """How many different commits it has served."""
    created_at: datetime | None = None
    """When something was first built or run for it."""
    comment: Published | None = None
    deployment: Deployment | None = None
    superseded: tuple[int, ...] = ()
    """Deployments of older commits that GitHub still shows as active."""
    redeploy: Redeploy | None = None
    removed: Removed = field(default_factory=Removed)
    """What the deletion under way has taken so far."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Service name to the host name claimed for it."""
    farewell: datetime | None = None
    """When its destroy hook was begun; whatever becomes of it, the deletion goes on soon after."""
    parting: str | None = None
    """How its destroy hook failed, where it did: ``exits with code 1``."""
    last_words: str | None = None
    """The log of what its destroy hook said."""
    seeded: frozenset[str] = frozenset()
    """The volumes that were filled."""
    keeps_secrets: bool = False
    """Secrets were made for it alone, and have to go with it."""
