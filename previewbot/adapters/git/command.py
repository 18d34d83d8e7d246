"""Running git: an argument list, an environment made from nothing, and limits on time, output and disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.processes import end, start
from previewbot.core.errors import Transient

_PASSED_ON = (
    "PATH",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "GIT_SSL_CAINFO",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)

# What git's checks say of the people and times in a commit, which nobody reads here: old tools wrote them wrong.
_HARMLESS = (
    "badDate",
    "badEmail",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

_CONFIG: Mapping[str, str] = {
    "core.attributesFile": os.devnull,
    "core.bigFileThreshold": "16m",
    "core.fsmonitor": "false",
    "core.fsync": "none",  # a mirror is a cache: what a power cut damages is fetched again
    "core.hooksPath": os.devnull,
    "core.protectHFS": "false",  # trees are read on Linux, where a backslash in a name is just that
    "core.protectNTFS": "false",
    "core.symlinks": "true",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    **{f"fetch.fsck.{name}": "ignore" for name in _HARMLESS},
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}

_SAID_LIMIT = 64 * 1024


class GitFailed(Exception):  # noqa: N818 - named by what happened
    """Git said no; ``said`` is what it wrote to standard error."""

    def __init__(self, said: str) -> None:
        super().__init__(said.strip().splitlines()[-1] if said.strip() else "git failed without a word")
        self.said = said


class GitFlooded(Exception):  # noqa: N818 - named by what happened
    """Git printed more than it may."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one git process may use."""

    time: timedelta = timedelta(minutes=2)
    output: int = 1024**2
    """Bytes."""
    file: int | None = None
    """The largest file that it may write, in bytes; held where the system can hold it."""


async def git(
    *arguments: str,
    folder: Path,
    config: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    bounds: Bounds | None = None,
) -> bytes:
    """Run git on a bare repository and return what it prints.

    ``config`` is added to the fixed configuration and travels in the environment, as ``variables`` do. Raises
    ``GitFailed``, ``GitFlooded``, and ``Transient`` where git is missing, or its time is up.
    """
    bounds = bounds or Bounds()
    try:
        process = await start(
            "git",
            f"--git-dir={folder}",
            *arguments,
            env=_environment(config or {}) | dict(variables or {}),
            folder=folder.parent,
            restore_signals=False,  # Python ignores SIGXFSZ: with that, git says "File too large" instead of dying
        )
    except OSError as error:
        raise Transient(f"git cannot be run: {error.strerror}") from None
    said = asyncio.create_task(_tail(process.stderr))
    try:
        _confine(process.pid, bounds)
        async with asyncio.timeout(bounds.time.total_seconds()):
            out = await _read(process.stdout, bounds.output)
            await asyncio.wait([said])
            await process.wait()
    except TimeoutError:
        raise Transient(f"git {arguments[0]} took longer than {bounds.time.total_seconds():.0f} s") from None
    finally:
        said.cancel()
        await asyncio.wait([said])
        await end(process)
    if process.returncode:
        died = f"\ngit died of signal {-process.returncode}" if process.returncode < 0 else ""
        raise GitFailed(said.result().decode("utf-8", "replace") + died)
    return out


def _confine(pid: int, bounds: Bounds) -> None:
    if bounds.file is not None and hasattr(resource, "prlimit"):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (bounds.file, bounds.file))


async def _read(stream: asyncio.StreamReader | None, most: int) -> bytes:
    read = bytearray()
    while stream and (chunk := await stream.read(2**18)):
        read += chunk
        if len(read) > most:
            raise GitFlooded
    return bytes(read)


async def _tail(stream: asyncio.StreamReader | None) -> bytes:
    read = b""
    while stream and (chunk := await stream.read(2**16)):
        read = (read + chunk)[-_SAID_LIMIT:]
    return read


def _environment(config: Mapping[str, str]) -> dict[str, str]:
    made = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    made |= {
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": os.devnull,
        "LC_ALL": "C",
    }
    pairs = {**_CONFIG, **config}
    made["GIT_CONFIG_COUNT"] = str(len(pairs))
    for index, (name, value) in enumerate(pairs.items()):
        made[f"GIT_CONFIG_KEY_{index}"] = name
        made[f"GIT_CONFIG_VALUE_{index}"] = value
    return made
