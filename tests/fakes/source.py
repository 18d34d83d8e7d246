"""The code of the apps, in memory. The contract suite holds it to what real git does."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import digest
from previewbot.core.model import Repository


@dataclass(frozen=True)
class Link:
    """A symbolic link in a tree."""

    target: str


class Submodule:
    """A submodule in a tree."""


Tree = Mapping[str, bytes | Link | Submodule]
"""Path to content."""


@dataclass
class FakeSource:
    """``push`` makes commits; what the port reads must be fetched first, as with git."""

    pushed: dict[tuple[int, str], Tree] = field(default_factory=dict)
    """What exists at GitHub."""
    fetched: dict[tuple[int, str], Tree] = field(default_factory=dict)
    given_out: int = 0
    """Trees that are given out now."""

    def push(self, repository: Repository, tree: Tree) -> str:
        """Make a commit and return its name."""
        commit = digest(str(len(self.pushed)), *map(repr, sorted(tree)), length=40)
        self.pushed[repository.id, commit] = dict(tree)
        return commit

    async def fetch(self, repository: Repository, commit: str) -> None:
        where = (repository.id, commit)
        if len(commit) != 40 or not set(commit) <= set("0123456789abcdef"):
            raise Refused("source_refused", "that is not the name of a commit")
        if where not in self.pushed and where not in self.fetched:
            raise Refused("source_refused", f"commit `{commit[:7]}` is not in the repository any more")
        self.fetched.setdefault(where, self.pushed.get(where, {}))

    async def read(self, repository: Repository, commit: str, path: str, *, limit: int) -> bytes | None:
        content = self._tree(repository, commit).get(path)
        if isinstance(content, Link):
            raise Refused("source_refused", f"`{path}` is not a regular file")
        if isinstance(content, bytes) and len(content) > limit:
            raise Refused("source_refused", f"`{path}` is larger than {limit // 1024} KiB")
        return content if isinstance(content, bytes) else None

    async def tree(self, repository: Repository, commit: str, path: str) -> str | None:
        prefix = "" if path == "." else f"{path}/"
        inside = {name: each for name, each in self._tree(repository, commit).items() if name.startswith(prefix)}
        parts = (part for name in sorted(inside) for part in (name.removeprefix(prefix), repr(inside[name])))
        return digest(*parts, length=40) if inside or path == "." else None

    @asynccontextmanager
    async def checkout(self, repository: Repository, commit: str) -> AsyncIterator[Path]:
        await self.fetch(repository, commit)
        tree = self._tree(repository, commit)
        for path, content in tree.items():
            if isinstance(content, Link) and _leaves(path, content.target):
                raise Refused("source_refused", f"`{path}` is a symbolic link that leaves the repository")
        with tempfile.TemporaryDirectory() as folder:
            self.given_out += 1
            try:
                _write(Path(folder), tree)
                yield Path(folder)
            finally:
                self.given_out -= 1

    async def forget(self, repository: int) -> None:
        self.fetched = {where: tree for where, tree in self.fetched.items() if where[0] != repository}

    def _tree(self, repository: Repository, commit: str) -> Tree:
        tree = self.fetched.get((repository.id, commit))
        if tree is None:
            raise Transient("the commit is not in the mirror any more")
        for path, content in tree.items():
            if isinstance(content, Submodule):
                raise Refused("source_refused", f"`{path}` is a submodule, and submodules are not fetched")
        return tree


def _leaves(path: str, target: str) -> bool:
    """Whether a link leaves the tree, without looking through other links."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).startswith(("/", ".."))


def _write(folder: Path, tree: Tree) -> None:
    for path, content in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content.target)
        elif isinstance(content, bytes):
            place.write_bytes(content)
