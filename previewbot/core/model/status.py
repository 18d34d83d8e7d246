"""What people are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core.blueprint import Flaw
from previewbot.core.model.observed import Removed
from previewbot.core.model.reasons import Reason, State
from previewbot.core.model.release import ReleaseRecord


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service's row in the comment."""

    name: str
    url: str | None
    state: str
    """``ready``, ``building``, ``starting``, ``failed``, ``waiting``."""
    image: str
    """How its image came about: ``built in 6 s``, ``reused, unchanged since `a81d0c4```, or empty."""
    has_port: bool = True
    """Whether its siblings can reach it."""


@dataclass(frozen=True, slots=True)
class Untold:
    """Variables that a program asked for in vain."""

    names: tuple[str, ...]
    given: tuple[str, ...]
    """What its blueprint gives it."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is true of an environment, complete enough to write the comment from it and nothing else."""

    state: State
    reason: Reason
    since: datetime
    """When this state and reason began."""
    commit: str | None = None
    services: tuple[ServiceLine, ...] = ()
    detail: str | None = None
    """The words that belong to the reason: a fork's name, an author's login, ``service **web**, at `Dockerfile:7```."""
    lines: tuple[str, ...] = ()
    """Output worth showing: of a failing step, of a crashing service."""
    flaws: tuple[Flaw, ...] = ()
    log: str | None = None
    """The name of the log page to link."""
    last_good: ReleaseRecord | None = None
    """The release that still serves beside a newer failure or build."""
    seconds: float | None = None
    """From the delivery being accepted to the URL answering with this commit."""
    removed: Removed | None = None
    lived: timedelta | None = None
    commits: int = 0
    repaired: bool = False
    """The sweep found this, not a delivery."""
    parting: str | None = None
    """How the destroy hook failed of what is gone, where it did; ``log`` is what it said."""
    is_asked_for: bool = False
    """Whether somebody asked for just this release, so that ``seconds`` count from there, and not from a push."""
    start_seconds: float | None = None
    """How much of ``seconds`` the release took to come up, once its images were there."""
    untold: Untold | None = None
    """What the program lacked whose last lines are shown, as far as they tell."""
