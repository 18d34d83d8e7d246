"""The git side of the simulated GitHub: bare repositories, made and changed by plumbing, without a working tree."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_WHO = "A person <person@example.com>"

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.fsync",
    "GIT_CONFIG_VALUE_0": "none",  # nothing here outlives the simulation
    "GIT_CONFIG_KEY_1": "fastimport.unpackLimit",
    "GIT_CONFIG_VALUE_1": "1",  # a pack stays one, which spares another process
}

_SERVED = "[uploadpack]\n\tallowAnySHA1InWant = true\n[http]\n\treceivepack = false\n"

Files = Mapping[str, str | bytes | None]
"""Path to content; ``None`` deletes. A path that ends in ``!x`` is executable without those two characters."""


async def git(folder: Path, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> str:
    """Run git on a bare repository; raises ``RuntimeError`` with what it said."""
    process = await asyncio.create_subprocess_exec(
        "git", f"--git-dir={folder}", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **_ENVIRONMENT, **(variables or {})},
    )  # fmt: skip
    out, said = await process.communicate(stdin)
    if process.returncode:
        raise RuntimeError(f"git {arguments[0]}: {said.decode('utf-8', 'replace')}")
    return out.decode("utf-8", "surrogateescape").strip()


async def create(folder: Path) -> None:
    """Make an empty repository whose commits can be fetched by name."""
    await git(folder, "init", "--bare", "--quiet", "--initial-branch=main", "--template=")
    with (folder / "config").open("a", encoding="utf-8") as config:
        config.write(_SERVED)


async def commit(folder: Path, parent: str | None, files: Files, message: str, *, refs: Sequence[str]) -> str:
    """Make a commit on top of a parent, point refs at it, and return its name; all by one process."""
    first, *others = refs
    start = [f"commit {first}\nmark :1\ncommitter {_WHO} now\n".encode(), _data(message)]
    changes = [f"from {parent}\n".encode()] if parent else []
    changes += [_change(path, content) for path, content in files.items()]
    ends = [f"reset {each}\nfrom :1\n\n".encode() for each in others]
    said = b"".join((*start, *changes, b"\n", *ends, b"get-mark :1\ndone\n"))
    return await git(folder, "fast-import", "--quiet", "--force", "--done", "--date-format=now", stdin=said)


def _change(path: str, content: str | bytes | None) -> bytes:
    name, mode = (path[:-2], "100755") if path.endswith("!x") else (path, "100644")
    return f"D {name}\n".encode() if content is None else f"M {mode} inline {name}\n".encode() + _data(content)


def _data(content: str | bytes) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return b"data %d\n%s\n" % (len(raw), raw)


async def fetch(folder: Path, other: Path, ref: str, *, to: str | None = None) -> None:
    """Bring a ref of another repository over, under its own name or another."""
    await git(folder, "fetch", "--quiet", str(other), f"+{ref}:{to or ref}")


async def read(folder: Path, sha: str, path: str) -> str:
    """Read a text file of a commit."""
    return await git(folder, "cat-file", "blob", f"{sha}:{path}")


async def changed(folder: Path, base: str, head: str) -> list[str]:
    """The paths that differ between two commits."""
    listed = await git(folder, "diff-tree", "-r", "-z", "--name-only", base, head)
    return [path for path in listed.split("\0") if path]
