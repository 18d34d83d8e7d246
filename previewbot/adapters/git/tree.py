"""The tree of one commit: what is in it, and whether it may be used at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from previewbot.core.errors import Refused

REASON = "source_refused"
_SYMLINK, _SUBMODULE, _FOLDER = "120000", "160000", "040000"


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """How much a commit may hold; an operator's protection, never loosened by the commit."""

    files: int = 50_000
    file_size: int = 200 * 1024**2
    """Bytes."""
    total_size: int = 1024**3
    """Bytes."""
    path_length: int = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree: its git mode, object and (for files) size in bytes."""

    mode: str
    id: str
    size: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith("100")

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == _SYMLINK

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.mode == _FOLDER


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything in the tree of one commit, by path; the root itself is ``.``."""

    entries: Mapping[str, Entry]

    def find(self, path: str) -> Entry | None:
        """What stands at a path of the blueprint."""
        return self.entries.get(path)

    @property
    def symlinks(self) -> tuple[str, ...]:
        """The paths that are symbolic links."""
        return tuple(path for path, entry in self.entries.items() if entry.is_symlink)


def parse(root: str, listed: bytes) -> Listing:
    """Read ``git ls-tree -r -t -l -z --full-tree``; ``root`` is the hash of the tree itself."""
    entries = {".": Entry(_FOLDER, root, 0)}
    for row in listed.split(b"\0"):
        if row:
            facts, _, path = row.partition(b"\t")
            mode, _, identity, size = facts.decode("ascii").split()
            entries[os.fsdecode(path)] = Entry(mode, identity, 0 if size == "-" else int(size))
    return Listing(entries)


def check(listing: Listing, limits: SourceLimits) -> None:
    """Refuse a tree that is too large, or that holds what would be missing or dangerous in a build."""
    files = [(path, entry) for path, entry in listing.entries.items() if not entry.is_folder]
    if len(files) > limits.files:
        raise Refused(REASON, f"the commit holds {len(files):,} files; more than {limits.files:,} are refused")
    total = 0
    for path, entry in files:
        shown = show(path)
        if entry.mode == _SUBMODULE:
            raise Refused(REASON, f"`{shown}` is a submodule, and submodules are not fetched")
        if entry.size > limits.file_size:
            raise Refused(REASON, f"`{shown}` is larger than {limits.file_size // 1024**2} MiB")
        if len(path) > limits.path_length:
            raise Refused(REASON, f"the path `{shown}` is longer than {limits.path_length} characters")
        total += entry.size
    if total > limits.total_size:
        raise Refused(REASON, f"the commit is larger than {limits.total_size // 1024**2} MiB")


def check_symlinks(root: Path, listing: Listing) -> None:
    """Refuse a checked-out tree in which a symbolic link leads out of it, directly or through others."""
    top = os.path.realpath(root)
    for path in listing.symlinks:
        target = os.path.realpath(root / path)
        if target != top and not target.startswith(f"{top}/"):
            raise Refused(REASON, f"`{show(path)}` is a symbolic link that leaves the repository")


def show(path: str) -> str:
    """Make a path safe to show: odd characters escaped, not too long."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in text)[:120]
