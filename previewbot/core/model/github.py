"""What GitHub tells of people, repositories and pull requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from previewbot.core.ids import Key


class Permission(StrEnum):
    """What a person may do in a repository, as GitHub's collaborator permission says it."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def writes(self) -> bool:
        """Whether this permission allows pushing."""
        return self in (Permission.WRITE, Permission.ADMIN)


@dataclass(frozen=True, slots=True)
class Person:
    """An account: ``is_app`` where it belongs to a GitHub App, such as a dependency bot."""

    login: str
    is_app: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in which previewbot is installed; ``full_name`` may change, ``id`` never does."""

    id: int
    full_name: str
    installation: int
    clone_url: str


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as GitHub shows it now."""

    key: Key
    repository: Repository
    title: str
    author: Person
    is_open: bool
    is_merged: bool
    is_draft: bool
    labels: frozenset[str]
    base_branch: str
    head_branch: str
    head_commit: str
    head_repository: int | None
    """``None`` where the repository that it came from was deleted: it then counts as a fork."""
    head_full_name: str | None = None
    closed_at: datetime | None = None

    @property
    def is_fork(self) -> bool:
        """Whether its commits live in another repository, or in one that nobody can name."""
        return self.head_repository != self.repository.id
