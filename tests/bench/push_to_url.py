"""Push to URL: seconds from a delivery being sent to the URL answering with its commit, against a bare script.

Run ``python -m tests.bench.push_to_url [--pushes N] [--json]``. Both sides use the same machine, engine, sample app and
base image, one after the other in each round, so that what else the machine does hits both. The floor is what a shell
script would do: ``git fetch``, a checkout, ``docker build``, ``docker run``, and asking until the commit answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from previewbot.adapters.docker.cli import find_cli
from previewbot.adapters.docker.engine import connect
from previewbot.demo import sample
from previewbot.demo.github import repository as git
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import Visitor, said, until


@dataclass
class Figures:
    """Seconds of every round."""

    previewbot: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    building: list[float] = field(default_factory=list)
    """From the delivery to the comment that says Building."""


def run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    """Run a step of the floor."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | variables, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Floor:
    """The bare script."""

    def __init__(self, stage: Stage, docker: str, folder: Path) -> None:
        self.stage, self.docker, self.mirror, self.tree = stage, docker, folder / "mirror.git", folder / "tree"
        run("git", "init", "-q", "--bare", str(self.mirror))
        self.origin = str(stage.github.folder(stage.repository))
        self.previous = ""

    def deploy(self, sha: str) -> None:
        """Fetch, build, run, and ask until the commit answers; the older container goes afterwards, uncounted."""
        host = f"DOCKER_HOST={self.stage.engine}"
        run("git", f"--git-dir={self.mirror}", "fetch", "-q", "--depth=1", self.origin, f"+{sha}:refs/heads/x")
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir()
        run("git", f"--git-dir={self.mirror}", f"--work-tree={self.tree}", "checkout", "-q", "-f", "x", "--", ".")
        run("env", host, "DOCKER_BUILDKIT=1", self.docker, "build", "-q", "-t", "floor:web", str(self.tree / "web"))
        made = run(
            "env", host, self.docker, "run", "-d", "-p", "127.0.0.1::8080", "-e", f"PREVIEWBOT_COMMIT={sha}",
            "-e", "PORT=8080", "floor:web",
        )  # fmt: skip
        address = run("env", host, self.docker, "port", made, "8080").splitlines()[0]
        while True:
            try:
                if httpx.get(f"http://{address}/commit.txt", trust_env=False, timeout=1).text == sha:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
        self.previous, gone = made, self.previous
        if gone:
            run("env", host, self.docker, "rm", "-f", gone)

    def end(self) -> None:
        """Leave nothing."""
        host = f"DOCKER_HOST={self.stage.engine}"
        run("env", host, self.docker, "rm", "-f", self.previous)
        run("env", host, self.docker, "rmi", "-f", "floor:web")


async def measure(stage: Stage, pushes: int) -> Figures:
    """One push a round for previewbot and one for the floor, in turn."""
    github, figures = stage.github, Figures()
    pull = await github.open_pull(stage.repository, author="alice", title="x", files={sample.GREETING: "warm\n"})
    visitor = Visitor(stage, pull)
    await until("the first release", lambda: visitor.serves(pull.sha))
    cli = (await find_cli(connect(stage.engine))).path
    with tempfile.TemporaryDirectory() as place:
        floor = Floor(stage, cli, Path(place))
        await asyncio.to_thread(floor.deploy, pull.sha)
        for number in range(pushes):
            await until("a quiet moment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))
            await asyncio.sleep(4)  # the older release is taken away meanwhile
            began = time.monotonic()
            sha = await github.push(stage.repository, pull, {sample.GREETING: f"round {number}\n"})
            building = asyncio.create_task(until("Building", lambda s=sha: said(pull, s[:7])))  # type: ignore[misc]
            pushed = time.monotonic()
            await until("the new commit", lambda s=sha: visitor.serves(s))  # type: ignore[misc]
            figures.previewbot.append(time.monotonic() - pushed)
            await building
            figures.building.append(building.result())
            assert time.monotonic() - began < 60
            await until("a quiet moment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))
            await asyncio.sleep(3)
            base = pull.sha
            other = await git.commit(github.folder(stage.repository), base, {sample.GREETING: f"floor {number}\n"}, "x")
            await git.point(github.folder(stage.repository), "refs/heads/floor", other)
            began = time.monotonic()
            await asyncio.to_thread(floor.deploy, other)
            figures.floor.append(time.monotonic() - began)
        await asyncio.to_thread(floor.end)
    return figures


def summary(figures: Figures) -> dict[str, float]:
    """p50 and p95 of both, and the ratio."""

    def at(values: list[float], share: float) -> float:
        return sorted(values)[min(len(values) - 1, int(len(values) * share))]

    mine, floor = statistics.median(figures.previewbot), statistics.median(figures.floor)
    return {
        "pushes": len(figures.floor),
        "previewbot_p50": mine,
        "previewbot_p95": at(figures.previewbot, 0.95),
        "floor_p50": floor,
        "floor_p95": at(figures.floor, 0.95),
        "ratio_p50": mine / floor,
        "above_floor_p50": mine - floor,
        "building_comment_p50": statistics.median(figures.building),
        "building_comment_max": max(figures.building),
    }


async def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    def say(text: str) -> None:
        print(f"· {text}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder), say=say) as stage:
            found = summary(await measure(stage, options.pushes))
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:<22} {value:8.3f}" if name != "pushes" else f"{name:<22} {value:8.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
