"""The ``docker`` command, which alone speaks BuildKit to an engine: finding one that works, and calling it.

It is given an empty configuration of its own and hardly any environment, so that no credential of the operator's can
reach a build. Images are never pulled afresh (no ``--pull``): a base image may exist on this machine alone, and a tag
that moved underneath a commit would make two builds of it differ. ``/redeploy`` builds without cache, on the same base.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from previewbot.adapters.building import leash
from previewbot.adapters.docker.engine import Engine, speaks_buildkit
from previewbot.core.blueprint import Build
from previewbot.core.errors import Refused
from previewbot.core.model import Reason

_PLUGINS = Path("cli-plugins")
_PROBE_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Cli:
    """One ``docker`` command, and whether it builds with BuildKit."""

    path: str
    buildkit: bool

    def __str__(self) -> str:
        """``BuildKit through /usr/bin/docker``."""
        return f"{'BuildKit' if self.buildkit else 'the classic builder'} through {self.path}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One call of ``docker build``. All paths are absolute."""

    context: Path
    dockerfile: Path
    build: Build
    tag: str
    labels: Mapping[str, str]
    fresh: bool

    def arguments(self, cli: Cli, url: str, id_file: Path, more: Sequence[str] = ()) -> list[str]:
        """The whole argument list; ``id_file`` receives the image's ID."""
        made = [*leash(), cli.path, "--host", url, "build", "--file", str(self.dockerfile), "--tag", self.tag]
        made += ["--iidfile", str(id_file)]
        made += ["--progress=plain"] if cli.buildkit else ["--force-rm"]
        for name, value in self.labels.items():
            made += ["--label", f"{name}={value}"]
        for name, value in self.build.args.items():
            made += ["--build-arg", f"{name}={value}"]
        if self.build.target is not None:
            made += ["--target", self.build.target]
        if self.fresh:
            made += ["--no-cache"]
        return [*made, *more, "--", str(self.context)]


async def find_cli(engine: Engine) -> Cli:
    """Find the best ``docker`` command on PATH for an engine; ``Refused`` where there is none that works."""
    candidates = _candidates()
    kits = (True, False) if await speaks_buildkit(engine) else (False,)
    for buildkit in kits:
        for path in candidates:
            if await _works(path, buildkit=buildkit):
                return Cli(path, buildkit)
    raise Refused(
        Reason.RUNTIME_REFUSED,
        "previewbot's machine has no working `docker` command: its operator has to install one (Debian: docker.io).",
    )


def _candidates() -> list[str]:
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    found = (shutil.which("docker", path=folder) for folder in folders)
    return list({str(Path(path).resolve()): path for path in found if path}.values())


async def _works(path: str, *, buildkit: bool) -> bool:
    """Whether a command can build like this; one that lacks a part of itself already refuses to explain itself."""
    process = await asyncio.create_subprocess_exec(
        path,
        "build",
        "--help",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(Path("/nonexistent"), buildkit=buildkit),
    )
    try:
        return await asyncio.wait_for(process.wait(), _PROBE_LIMIT) == 0
    except TimeoutError:
        process.kill()
        return await process.wait() == 0


def environment(folder: Path, *, buildkit: bool) -> dict[str, str]:
    """The whole environment of a ``docker`` command whose home is ``folder``."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder),
        "DOCKER_BUILDKIT": "1" if buildkit else "0",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
    }


def furnish(folder: Path) -> None:
    """Make a home for a ``docker`` command: nothing in it but the plugins that the operator installed."""
    plugins = Path.home() / ".docker" / _PLUGINS
    if plugins.is_dir():
        (folder / _PLUGINS).symlink_to(plugins)
