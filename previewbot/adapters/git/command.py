"""Running git: an argument list, an environment made from nothing, and a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from previewbot.core.errors import Transient

_PASSED_ON = ("PATH", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_FILE")

_CONFIG: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.protectNTFS": "true",
    "core.symlinks": "true",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}


class GitFailed(Exception):  # noqa: N818 - named by what happened
    """Git said no; ``said`` is what it wrote to standard error."""

    def __init__(self, said: str) -> None:
        super().__init__(said.strip().splitlines()[-1] if said.strip() else "git failed without a word")
        self.said = said


async def git(
    *arguments: str,
    folder: Path,
    config: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    limit: timedelta = timedelta(minutes=1),
) -> bytes:
    """Run git on a bare repository and return what it prints.

    ``config`` is added to the fixed configuration and travels in the environment, as ``variables`` do. Raises
    ``GitFailed``, and ``Transient`` where git is missing, or its time is up.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            f"--git-dir={folder}",
            *arguments,
            env=_environment(config or {}) | dict(variables or {}),
            cwd=folder.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Transient(f"git cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(limit.total_seconds()):
            out, said = await process.communicate()
    except TimeoutError:
        raise Transient(f"git {arguments[0]} took longer than {limit.total_seconds():.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        raise GitFailed(said.decode("utf-8", "replace"))
    return out


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
