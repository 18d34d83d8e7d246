"""The ``Source`` port on git mirrors."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import shutil
import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.git.command import GitFailed, git
from previewbot.adapters.git.tree import REASON, Listing, SourceLimits, check, check_symlinks, parse, show
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Repository
from previewbot.ports import Credential

_REMEMBERED = 64
"""Listings of commits that are kept in memory; a commit never changes."""

_FETCH_LIMIT = timedelta(minutes=5)


class GitSource:
    """Mirrors below one folder, which it owns: ``<id>.git`` for each repository, ``trees`` for what is given out."""

    def __init__(
        self,
        root: Path,
        credential: Callable[[Repository], Awaitable[Credential]],
        *,
        limits: SourceLimits | None = None,
    ) -> None:
        """``credential`` opens a repository over HTTP. Trees that an earlier process left behind are deleted."""
        self._root = root
        self._trees = root / "trees"
        self._credential = credential
        self._limits = limits or SourceLimits()
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listings: OrderedDict[tuple[int, str], Listing] = OrderedDict()
        shutil.rmtree(self._trees, ignore_errors=True)
        self._trees.mkdir(parents=True, exist_ok=True)

    async def fetch(self, repository: Repository, commit: str) -> None:
        """Bring a commit into the mirror, without its history; one that is there costs no network."""
        _check_commit(commit)
        if (repository.id, commit) in self._listings:
            return
        async with self._locks[repository.id]:
            folder = await self._mirror(repository)
            if not await self._has(folder, commit):
                await self._fetch(repository, folder, commit)
            await self._list(repository, folder, commit)

    async def read(self, repository: Repository, commit: str, path: str, *, limit: int) -> bytes | None:
        """Read one regular file; a symbolic link in its place is refused."""
        entry = self._listing(repository, commit).find(path)
        if entry is None or entry.is_folder:
            return None
        if not entry.is_file:
            raise Refused(REASON, f"`{show(path)}` is not a regular file")
        if entry.size > limit:
            raise Refused(REASON, f"`{show(path)}` is larger than {limit // 1024} KiB")
        return await self._ask(repository, "cat-file", "blob", entry.id)

    async def tree(self, repository: Repository, commit: str, path: str) -> str | None:
        """Name the content of a folder by git's tree hash."""
        entry = self._listing(repository, commit).find(path)
        return entry.id if entry and entry.is_folder else None

    @asynccontextmanager
    async def checkout(self, repository: Repository, commit: str) -> AsyncIterator[Path]:
        """Give a clean tree without ``.git``, in a folder of its own that only we can read."""
        await self.fetch(repository, commit)
        place = Path(tempfile.mkdtemp(prefix=f"{repository.id}-", dir=self._trees))
        try:
            await self._write(repository, commit, place)
            yield place / "tree"
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def forget(self, repository: int) -> None:
        """Delete a mirror."""
        async with self._locks[repository]:
            for known in [each for each in self._listings if each[0] == repository]:
                del self._listings[known]
            await asyncio.to_thread(shutil.rmtree, self._folder(repository), ignore_errors=True)

    # --- the mirror -------------------------------------------------------------------------------------------------

    def _folder(self, repository: int) -> Path:
        return self._root / f"{repository}.git"

    async def _mirror(self, repository: Repository) -> Path:
        folder = self._folder(repository.id)
        if not (folder / "HEAD").exists():
            await _run("init", "--bare", "--quiet", "--template=", folder=folder)
        return folder

    async def _has(self, folder: Path, commit: str) -> bool:
        with contextlib.suppress(GitFailed):
            await git("cat-file", "-e", f"{commit}^{{tree}}", folder=folder)
            return True
        return False

    async def _fetch(self, repository: Repository, folder: Path, commit: str) -> None:
        url = repository.clone_url
        config = {f"protocol.{'http' if url.startswith('http:') else 'https'}.allow": "always"}
        if url.startswith(("http:", "https:")):
            credential = await self._credential(repository)
            basic = base64.b64encode(f"x-access-token:{credential.token}".encode()).decode()
            # Bound to this very URL, so that no redirect and no other host ever sees it.
            config[f"http.{url}.extraHeader"] = f"Authorization: Basic {basic}"
        else:
            config = {"protocol.file.allow": "always"}
        refspec = f"+{commit}:refs/previewbot/{commit}"
        try:
            await git(
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", url, refspec,
                folder=folder, config=config, limit=_FETCH_LIMIT,
            )  # fmt: skip
        except GitFailed as failed:
            raise _translate(failed, commit) from None

    async def _list(self, repository: Repository, folder: Path, commit: str) -> None:
        root, listed = await asyncio.gather(
            _run("rev-parse", f"{commit}^{{tree}}", folder=folder),
            _run("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit, folder=folder),
        )
        self._listings[repository.id, commit] = parse(root.decode().strip(), listed)
        while len(self._listings) > _REMEMBERED:
            self._listings.popitem(last=False)

    def _listing(self, repository: Repository, commit: str) -> Listing:
        listing = self._listings.get((repository.id, commit))
        if listing is None:
            raise Transient("the commit is not in the mirror any more")
        check(listing, self._limits)
        return listing

    async def _ask(self, repository: Repository, *arguments: str) -> bytes:
        return await _run(*arguments, folder=self._folder(repository.id))

    async def _write(self, repository: Repository, commit: str, place: Path) -> None:
        listing, folder, tree = self._listing(repository, commit), self._folder(repository.id), place / "tree"
        tree.mkdir(mode=0o700)
        variables = {"GIT_INDEX_FILE": str(place / "index"), "GIT_WORK_TREE": str(tree)}
        # `reset --hard` would do as well, but these two never look at HEAD, hooks or what was there before.
        await _run("read-tree", commit, folder=folder, variables=variables)
        await _run("checkout-index", "--all", "--force", folder=folder, variables=variables)
        await asyncio.to_thread(check_symlinks, tree, listing)


async def _run(*arguments: str, folder: Path, variables: dict[str, str] | None = None) -> bytes:
    """Run git where a failure is the machine's fault: a full disk, a mirror that is damaged."""
    try:
        return await git(*arguments, folder=folder, variables=variables)
    except GitFailed as failed:
        raise Transient(f"git {arguments[0]}: {failed}") from None


def _check_commit(commit: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit, re.ASCII):
        raise Refused(REASON, "that is not the name of a commit")


def _translate(failed: GitFailed, commit: str) -> Exception:
    if "not our ref" in failed.said or "couldn't find remote ref" in failed.said:
        return Refused(REASON, f"commit `{commit[:7]}` is not in the repository any more")
    if "fsck" in failed.said or "bad object" in failed.said:
        return Refused(REASON, "git found the commit to be damaged or hostile")
    said = re.sub(r"https?://\S+", "the repository", str(failed))
    return Transient(f"the repository cannot be fetched: {said[:200]}")
