"""The ``Source`` port on git mirrors."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from previewbot.adapters.git.mirror import Mirror
from previewbot.adapters.git.tree import REASON, Listing, SourceLimits, show
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Repository
from previewbot.ports import Credential

_REMEMBERED = 64
"""Listings of commits that are kept in memory; a commit never changes."""
_REMEMBERED_ENTRIES = 200_000
"""How many files and folders those may have in all."""


class GitSource:
    """Mirrors below one folder, which it owns: ``<id>.git`` for each repository, ``trees`` for what is given out."""

    def __init__(
        self,
        root: Path,
        credential: Callable[[Repository], Awaitable[Credential]],
        *,
        limits: SourceLimits | None = None,
    ) -> None:
        """``credential`` opens a repository over HTTP. What a killed process left half done is deleted."""
        self._root = root
        self._trees = root / "trees"
        self._credential = credential
        self._limits = limits or SourceLimits()
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._readers: Counter[int] = Counter()
        self._listings: OrderedDict[tuple[int, str], Listing] = OrderedDict()
        shutil.rmtree(self._trees, ignore_errors=True)
        self._trees.mkdir(parents=True, exist_ok=True)
        for folder in root.glob("*.git"):
            mirror = Mirror(folder, self._limits)
            if not mirror.is_whole:
                mirror.drop()

    async def fetch(self, repository: Repository, commit: str) -> None:
        """Bring a commit into the mirror, without its history; one that is there costs no network."""
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit, re.ASCII):
            raise Refused(REASON, "that is not the name of a commit")
        async with self._locks[repository.id]:
            if (repository.id, commit) in self._listings:
                return
            mirror = self._mirror(repository.id)
            await mirror.make()
            found = await mirror.list(commit) or await self._bring(repository, mirror, commit)
            self._remember(repository.id, commit, found)

    async def read(self, repository: Repository, commit: str, path: str, *, limit: int) -> bytes | None:
        """Read one regular file; a symbolic link in its place is refused."""
        entry = self._listing(repository.id, commit).find(path)
        if entry is None or entry.is_folder:
            return None
        if not entry.is_file:
            raise Refused(REASON, f"`{show(path)}` is not a regular file")
        if entry.size > limit:
            raise Refused(REASON, f"`{show(path)}` is larger than {limit // 1024} KiB")
        with self._forgetting(repository.id):
            return await self._mirror(repository.id).blob(entry.id, entry.size)

    async def tree(self, repository: Repository, commit: str, path: str) -> str | None:
        """Name the content of a folder by git's tree hash."""
        entry = self._listing(repository.id, commit).find(path)
        return entry.id if entry and entry.is_folder else None

    @asynccontextmanager
    async def checkout(self, repository: Repository, commit: str) -> AsyncIterator[Path]:
        """Give a clean tree without ``.git``, in a folder of its own that only we can read."""
        await self.fetch(repository, commit)
        listing = self._listing(repository.id, commit)
        place = Path(tempfile.mkdtemp(prefix=f"{repository.id}-", dir=self._trees))
        try:
            yield await self._write(repository.id, commit, place, listing)
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def forget(self, repository: int) -> None:
        """Delete a mirror."""
        async with self._locks[repository]:
            await self._drop(repository)

    # --- mirrors ----------------------------------------------------------------------------------------------------

    def _mirror(self, repository: int) -> Mirror:
        return Mirror(self._root / f"{repository}.git", self._limits)

    async def _bring(self, repository: Repository, mirror: Mirror, commit: str) -> Listing:
        """Fetch what is not there, and list it."""
        if mirror.is_worn and not self._readers[repository.id]:
            await self._drop(repository.id)
            await mirror.make()
        url = repository.clone_url
        credential = await self._credential(repository) if url.startswith(("https:", "http:")) else None
        await mirror.fetch(commit, url, credential)
        found = await mirror.list(commit)
        if found is None:
            raise Refused(REASON, f"`{commit[:7]}` is not a commit")
        return found

    async def _write(self, repository: int, commit: str, place: Path, listing: Listing) -> Path:
        self._readers[repository] += 1
        try:
            with self._forgetting(repository):
                return await self._mirror(repository).write(commit, place, listing)
        finally:
            self._readers[repository] -= 1

    async def _drop(self, repository: int) -> None:
        self._forget(repository)
        await asyncio.to_thread(self._mirror(repository).drop)

    # --- what is remembered -----------------------------------------------------------------------------------------

    def _remember(self, repository: int, commit: str, listing: Listing) -> None:
        self._listings[repository, commit] = listing
        while len(self._listings) > 1 and (
            len(self._listings) > _REMEMBERED
            or sum(len(each.entries) for each in self._listings.values()) > _REMEMBERED_ENTRIES
        ):
            self._listings.popitem(last=False)

    def _listing(self, repository: int, commit: str) -> Listing:
        listing = self._listings.get((repository, commit))
        if listing is None:
            raise Transient("the commit is not in the mirror any more")
        self._listings.move_to_end((repository, commit))
        if listing.trouble:
            raise Refused(REASON, listing.trouble)
        return listing

    def _forget(self, repository: int) -> None:
        for known in [each for each in self._listings if each[0] == repository]:
            del self._listings[known]

    @contextmanager
    def _forgetting(self, repository: int) -> Iterator[None]:
        """Believe nothing of a mirror any more once reading it failed: the next fetch looks again."""
        try:
            yield
        except Transient:
            self._forget(repository)
            raise
