"""The tree of one commit: what is in it, and whether it may be used at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from previewbot.core.errors import Refused

REASON = "source_refused"
_SYMLINK, _SUBMODULE, _FOLDER = "120000", "160000", "040000"
_NAME_LENGTH = 255
"""Bytes; what Linux's file systems hold."""


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """How much a commit may hold; an operator's protection, never loosened by the commit."""

    files: int = 50_000
    file_size: int = 200 * 1024**2
    """Bytes."""
    total_size: int = 1024**3
    """Bytes."""
    path_length: int = 1000
    """Bytes."""

    @property
    def listing(self) -> int:
        """How long a listing of so many files can be, in bytes, before something else than files makes it long."""
        return 1024**2 + self.files * 400


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
    trouble: str | None = None
    """Why nothing of the commit may be used."""

    def find(self, path: str) -> Entry | None:
        """What stands at a path of the blueprint."""
        return self.entries.get(path)

    @property
    def symlinks(self) -> tuple[str, ...]:
        """The paths that are symbolic links."""
        return tuple(path for path, entry in self.entries.items() if entry.is_symlink)


def parse(root: str, listed: bytes, limits: SourceLimits) -> Listing:
    """Read ``git ls-tree -r -t -l -z --full-tree``; ``root`` is the hash of the tree itself."""
    entries = {".": Entry(_FOLDER, root, 0)}
    for row in listed.split(b"\0"):
        if row:
            facts, _, path = row.partition(b"\t")
            mode, _, identity, size = facts.decode("ascii").split()
            entries[os.fsdecode(path)] = Entry(mode, identity, 0 if size == "-" else int(size))
    trouble = next(_troubles(entries, limits), None)
    return Listing({} if trouble else entries, trouble)


def endless(limits: SourceLimits) -> Listing:
    """What stands for a tree whose listing is longer than anybody's: folders within folders, each many times."""
    return Listing({}, f"the commit holds far more than {limits.files:,} files")


def _troubles(entries: Mapping[str, Entry], limits: SourceLimits) -> Iterator[str]:
    """Say what makes a tree too large, or would be missing or dangerous in a build."""
    files = [(path, entry) for path, entry in entries.items() if not entry.is_folder]
    if len(files) > limits.files:
        yield f"the commit holds {len(files):,} files; more than {limits.files:,} are refused"
    if len(entries) - len(files) > limits.files + 1:
        yield f"the commit holds more than {limits.files:,} folders"
    for path, entry in files:
        if entry.mode == _SUBMODULE:
            yield f"`{show(path)}` is a submodule, and submodules are not fetched"
        if entry.size > limits.file_size:
            yield f"`{show(path)}` is larger than {limits.file_size // 1024**2} MiB"
        raw = os.fsencode(path)
        if len(raw) > limits.path_length:
            yield f"the path `{show(path)}` is longer than {limits.path_length} bytes"
        if any(len(name) > _NAME_LENGTH for name in raw.split(b"/")):
            yield f"a name in `{show(path)}` is longer than {_NAME_LENGTH} bytes"
    if sum(entry.size for _, entry in files) > limits.total_size:
        yield f"the commit is larger than {limits.total_size // 1024**2} MiB"


def check_symlinks(root: Path, listing: Listing) -> None:
    """Refuse a checked-out tree in which a symbolic link leads out of it, directly or through others."""
    top = os.path.realpath(root)
    for path in listing.symlinks:
        target = os.path.realpath(root / path)
        if target != top and not target.startswith(f"{top}/"):
            raise Refused(REASON, f"`{show(path)}` is a symbolic link that leaves the repository")


def show(path: str) -> str:
    """Make a path safe to show between backticks: odd characters replaced, not too long."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(each if each.isprintable() and each != "`" else "?" for each in text)[:120]
