"""The git side of the simulated GitHub: bare repositories, made and changed by plumbing, without a working tree."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A person",
    "GIT_AUTHOR_EMAIL": "person@example.com",
    "GIT_COMMITTER_NAME": "A person",
    "GIT_COMMITTER_EMAIL": "person@example.com",
}

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
    await git(folder, "init", "--bare", "--quiet", "--initial-branch=main")
    await git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    await git(folder, "config", "http.receivepack", "false")


async def commit(folder: Path, parent: str | None, files: Files, message: str) -> str:
    """Make a commit on top of a parent and return its name."""
    with tempfile.TemporaryDirectory() as place:
        index = {"GIT_INDEX_FILE": f"{place}/index"}
        if parent:
            await git(folder, "read-tree", parent, variables=index)
        rows = [await _row(folder, path, content) for path, content in files.items()]
        await git(folder, "update-index", "--add", "--index-info", stdin="".join(rows).encode(), variables=index)
        tree = await git(folder, "write-tree", variables=index)
    parents = ("-p", parent) if parent else ()
    return await git(folder, "commit-tree", tree, *parents, stdin=message.encode())


async def _row(folder: Path, path: str, content: str | bytes | None) -> str:
    name, mode = (path[:-2], "100755") if path.endswith("!x") else (path, "100644")
    if content is None:
        return f"0 {'0' * 40}\t{name}\n"
    raw = content.encode() if isinstance(content, str) else content
    blob = await git(folder, "hash-object", "-w", "--stdin", stdin=raw)
    return f"{mode} {blob}\t{name}\n"


async def point(folder: Path, ref: str, sha: str | None) -> None:
    """Point a ref at a commit, or delete it."""
    await git(folder, "update-ref", *(("-d", ref) if sha is None else (ref, sha)))


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
