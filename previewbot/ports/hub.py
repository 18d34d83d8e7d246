"""GitHub, as the engine needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from previewbot.core.ids import Key
from previewbot.core.model import Permission, PullRequest, Repository


class DeploymentState(StrEnum):
    """The states of a GitHub deployment that previewbot uses."""

    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    INACTIVE = "inactive"


class Reaction(StrEnum):
    """How previewbot answers a comment without words."""

    SEEN = "eyes"
    DONE = "+1"
    REFUSED = "-1"


@dataclass(frozen=True, slots=True)
class PullSummary:
    """One open pull request in a listing."""

    key: Key
    head_commit: str


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A webhook delivery that GitHub could not hand over; ``guid`` is its ``X-GitHub-Delivery``."""

    id: int
    guid: str
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class Allowance:
    """What GitHub still takes from us before it says "not now"."""

    requests: int | None
    """Of the installation that has fewest left; ``None`` while that is not known."""
    writes: int
    """Comments, deployments and the like, within an hour."""


class Hub(Protocol):
    """GitHub, as the app that is installed there."""

    def allowance(self) -> Allowance:
        """Say what is left, as far as GitHub's answers told; asks nobody."""

    async def repository(self, id: int) -> Repository | None:
        """Find a repository in which the app is installed; ``None`` only if GitHub confirms that it is not."""

    async def repositories(self) -> Sequence[Repository]:
        """List every repository of every installation."""

    async def pull(self, repository: Repository, number: int) -> PullRequest | None:
        """Read one pull request; ``None`` if GitHub says that it does not exist."""

    async def open_pulls(self, repository: Repository) -> Sequence[PullSummary]:
        """List the open pull requests of a repository."""

    async def permission(self, repository: Repository, login: str) -> Permission:
        """Say what a person may do there now; ``NONE`` for strangers and for names that GitHub does not know."""

    async def changed_paths(self, pull: PullRequest) -> Sequence[str]:
        """List the paths that a pull request changes, old names included."""

    async def comment(self, pull: PullRequest, marker: str, body: str, *, known: int | None, final: bool) -> int | None:
        """Create or edit the one comment that carries ``marker``, and return its id.

        ``known`` saves the look for it. ``None`` comes back where the budget of content writes holds back a text
        that is not ``final``; a ``final`` one raises ``Transient`` instead.
        """

    async def deploy(self, pull: PullRequest, *, environment: str) -> int:
        """Find or create the deployment of the head commit to ``environment``, and return its id."""

    async def standing(self, pull: PullRequest, *, environment: str) -> Sequence[int]:
        """List the deployments of a pull request to ``environment`` that GitHub does not show as inactive."""

    async def report(
        self, repository: Repository, deployment: int, state: DeploymentState, *, url: str | None, log_url: str | None
    ) -> None:
        """Add a status to a deployment."""

    async def react(self, repository: Repository, comment: int, reaction: Reaction) -> None:
        """Put a reaction on a comment; a comment that is gone is fine."""

    async def failed_deliveries(self, since: datetime) -> Sequence[FailedDelivery]:
        """List deliveries whose every attempt failed since then."""

    async def redeliver(self, delivery: FailedDelivery) -> None:
        """Ask GitHub to send a delivery again."""
