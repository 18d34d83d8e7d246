"""One repository's mirror: a cache of single commits that can be thrown away and fetched again at any time."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.git.command import Bounds, GitFailed, GitFlooded, git
from previewbot.adapters.git.tree import REASON, Listing, SourceLimits, check_symlinks, endless, parse
from previewbot.core.errors import Refused, Transient
from previewbot.ports import Credential

_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n"
"""Wins over every ``.gitattributes``: files come out byte for byte as they were committed."""

_MOST_PACKS = 200
"""Each fetch adds one; with more than these, a new mirror is faster than the old."""

_SMALLEST_PACK = 16 * 1024**2
"""Bytes that a fetch may write whatever the limits say; compressed, what is allowed is hardly ever larger."""

_DAMAGED = re.compile(r"\.lock'|corrupt|bad object|not a git repository|shallow file|all necessary objects")
_SHORTAGE = re.compile(r"No space left|Too many open files|Cannot allocate|Permission denied|Resource temporarily")


class Mirror:
    """The bare repository in one folder, made when it is first needed."""

    def __init__(self, folder: Path, limits: SourceLimits) -> None:
        """Nothing is read or written yet."""
        self._folder = folder
        self._limits = limits
        self._sign = folder / "info" / "attributes"

    @property
    def is_whole(self) -> bool:
        """Whether no process died while it made or changed this mirror."""
        packs = self._folder / "objects" / "pack"
        left = (*self._folder.glob("*.lock"), *self._folder.glob("refs/**/*.lock"), *packs.glob("tmp_*"))
        return self._sign.exists() and not left

    @property
    def is_worn(self) -> bool:
        """Whether so many fetches went into it that it has become slow."""
        return sum(1 for _ in (self._folder / "objects" / "pack").glob("*.pack")) > _MOST_PACKS

    def drop(self) -> None:
        """Throw it away."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def make(self) -> None:
        """Make it, unless it is there."""
        if self._sign.exists():
            return
        await asyncio.to_thread(self.drop)
        await self._run("init", "--bare", "--quiet", "--template=")
        self._sign.parent.mkdir(exist_ok=True)
        self._sign.write_text(_ATTRIBUTES)

    async def fetch(self, commit: str, url: str, credential: Credential | None) -> None:
        """Fetch one commit without its history. Its credential is of use for this very URL and nothing else."""
        config = {f"protocol.{url.partition(':')[0]}.allow": "always"} if _is_allowed(url) else {}
        if credential:
            config |= _header(url, credential)
        bounds = Bounds(time=timedelta(minutes=5), file=_SMALLEST_PACK + self._limits.total_size)
        arguments = ("--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", url)
        try:
            await git(
                "fetch", *arguments, f"+{commit}:{_ref(commit)}",
                folder=self._folder, config=config, bounds=bounds,
            )  # fmt: skip
        except GitFailed as failed:
            raise await self._translate(failed, commit) from None

    async def list(self, commit: str) -> Listing | None:
        """List everything in the tree of a commit, and say whether it may be used; ``None`` where it is not here."""
        if not (self._folder / _ref(commit)).exists():
            return None
        root, listed = await asyncio.gather(self._root(commit), self._entries(commit))
        if root is None:
            return None
        if listed is None:
            return endless(self._limits)
        if isinstance(listed, GitFailed):
            raise await self._damaged("ls-tree", listed)
        return await asyncio.to_thread(parse, root.strip(), listed, self._limits)

    async def _entries(self, commit: str) -> bytes | GitFailed | None:
        """List a tree as git does; ``None`` where that has no end. What failed matters only if there is a tree."""
        arguments = ("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit)
        try:
            return await git(*arguments, folder=self._folder, bounds=Bounds(output=self._limits.listing))
        except GitFlooded:
            return None
        except GitFailed as failed:
            return failed

    async def _root(self, commit: str) -> str | None:
        """Name the tree of a commit; ``None`` where it is none."""
        try:
            return (await git("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}", folder=self._folder)).decode()
        except GitFailed:
            return None

    async def blob(self, id: str, size: int) -> bytes:
        """Read the content of a file."""
        return await self._run("cat-file", "blob", id, bounds=Bounds(output=size))

    async def write(self, commit: str, place: Path, listing: Listing) -> Path:
        """Write the tree of a commit below an empty folder of our own, and return where it is."""
        tree = place / "tree"
        tree.mkdir(mode=0o700)
        variables = {"GIT_INDEX_FILE": str(place / "index"), "GIT_WORK_TREE": str(tree)}
        bounds = Bounds(time=timedelta(minutes=5))
        await self._run("read-tree", "--reset", "-u", commit, variables=variables, bounds=bounds)
        if listing.symlinks:
            await asyncio.to_thread(check_symlinks, tree, listing)
        return tree

    async def _run(
        self, *arguments: str, variables: Mapping[str, str] | None = None, bounds: Bounds | None = None
    ) -> bytes:
        """Run git where a failure is the machine's fault or the mirror's, but for paths that git never writes."""
        try:
            return await git(*arguments, folder=self._folder, variables=variables, bounds=bounds)
        except GitFailed as failed:
            if "invalid path" in failed.said:
                raise Refused(REASON, "the commit holds a path that git refuses to write, such as `.git`") from None
            raise await self._damaged(arguments[0], failed) from None

    async def _damaged(self, command: str, failed: GitFailed) -> Transient:
        """Throw the mirror away, so that the next try begins anew, unless the machine is short of something."""
        if not _SHORTAGE.search(failed.said):
            await asyncio.to_thread(self.drop)
        return Transient(f"git {command}: {failed}")

    async def _translate(self, failed: GitFailed, commit: str) -> Exception:
        said = failed.said
        if "not our ref" in said or "couldn't find remote ref" in said:
            return Refused(REASON, f"commit `{commit[:7]}` is not in the repository any more")
        if "fsck error" in said:
            return Refused(REASON, "git found the commit to be damaged or hostile")
        if "File too large" in said:
            return Refused(REASON, "the commit is too large to be fetched")
        if "error: 403" in said or re.search(r"repository '.*' not found", said):
            return Refused(REASON, "GitHub lets previewbot read no code here: the App needs `contents: read`")
        if _DAMAGED.search(said):
            await asyncio.to_thread(self.drop)
        plain = re.sub(r"\w+://\S+", "…", str(failed))
        return Transient(f"the repository cannot be fetched: {plain[:200]}")


def _ref(commit: str) -> str:
    """Name what keeps a fetched commit: never packed, it is a file, and no process is needed to see whether it is."""
    return f"refs/previewbot/{commit}"


def _is_allowed(url: str) -> bool:
    return url.startswith(("https://", "http://", "file://"))


def _header(url: str, credential: Credential) -> dict[str, str]:
    basic = base64.b64encode(f"x-access-token:{credential.token}".encode()).decode()
    return {f"http.{url}.extraHeader": f"Authorization: Basic {basic}"}
