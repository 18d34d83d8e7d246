"""The code of the apps, as the engine needs it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from previewbot.core.model import Repository


@dataclass(frozen=True, slots=True)
class Credential:
    """What opens a repository over HTTP, for a short time. Its text never shows the token."""

    token: str

    def __repr__(self) -> str:
        """Hide the token."""
        return "Credential(token=…)"


class Source(Protocol):
    """The code of the apps, commit by commit. Paths that leave the tree are ``Refused('source_refused', …)``."""

    async def fetch(self, repository: Repository, commit: str) -> None:
        """Bring a commit into the mirror; fast where it is already there."""

    async def read(self, repository: Repository, commit: str, path: str, *, limit: int) -> bytes | None:
        """Read one file of a fetched commit; ``None`` where it is not there. Longer than ``limit`` is refused."""

    async def tree(self, repository: Repository, commit: str, path: str) -> str | None:
        """Name the content of a folder of a fetched commit by git's tree hash; ``None`` where it is not there."""

    def checkout(self, repository: Repository, commit: str) -> AbstractAsyncContextManager[Path]:
        """Give a clean tree of a fetched commit for as long as the context lasts."""

    async def forget(self, repository: int) -> None:
        """Delete the mirror of a repository that is gone."""
