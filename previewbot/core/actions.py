"""What a plan can ask for: the next step, at most one for each thing. Every one is safe to do twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from previewbot.core.model import ImageOrder, Reason, ReleaseSpec, ServiceSpec, Status


@dataclass(frozen=True, slots=True)
class StartBuild:
    """Build an image in the background."""

    order: ImageOrder


@dataclass(frozen=True, slots=True)
class CancelBuild:
    """Stop a build that nobody wants any more."""

    image: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make what a release needs before its images exist, and let those of its services join it that go on."""

    revision: str
    services: tuple[ServiceSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class StartRelease:
    """Start those services of a release whose turn it is, beside whatever runs."""

    release: ReleaseSpec
    digests: Mapping[str, str]
    services: frozenset[str]


@dataclass(frozen=True, slots=True)
class FailRelease:
    """Give a release up that never became healthy: keep its last words, then take it away."""

    release: ReleaseSpec
    reason: Reason
    service: str
    detail: str


@dataclass(frozen=True, slots=True)
class Route:
    """Make these the routes of the environment; with a release, they are its first, and it serves from then on."""

    routes: Mapping[str, tuple[str, ...]]
    release: ReleaseSpec | None = None


@dataclass(frozen=True, slots=True)
class BidFarewell:
    """Run the destroy hook of a release; where that cannot be, its time is over."""

    revision: str
    service: str


@dataclass(frozen=True, slots=True)
class RemoveRelease:
    """Take a release away that nothing needs any more."""

    revision: str


@dataclass(frozen=True, slots=True)
class RemoveVolumes:
    """Take volumes away, and the data in them: the blueprint has no resource any more that they belong to."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class ForgetSecrets:
    """Delete what was made for this environment alone elsewhere: in a cloud, and in the store of secrets."""


@dataclass(frozen=True, slots=True)
class DeleteEnvironment:
    """Take everything of the environment away."""


Action = (
    StartBuild
    | CancelBuild
    | Prepare
    | StartRelease
    | FailRelease
    | Route
    | BidFarewell
    | RemoveRelease
    | RemoveVolumes
    | ForgetSecrets
    | DeleteEnvironment
)

WORLD_CHANGED = (FailRelease, Route, RemoveRelease, RemoveVolumes, ForgetSecrets, DeleteEnvironment)
"""Actions after which the world is different at once, so that it is worth another look in the same pass."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step, what is true meanwhile, and when to look again though nothing woke us (``None``: no need)."""

    actions: tuple[Action, ...]
    status: Status
    recheck: timedelta | None = None
