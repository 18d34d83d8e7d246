"""Push to URL: seconds from a delivery being sent to the URL answering with its commit, against bare scripts.

Run ``python -m tests.bench.push_to_url [--pushes N] [--json]``. All sides use the same machine, engine, sample app and
base image, one after the other in each round, so that what else the machine does hits them all. What the scripts do,
and why, is told in ``tests.bench.floor``: ``bare`` is the least that a script does, ``confined`` does it as previewbot
does. The memory is that of the whole process of ``previewbot serve``: at rest, and after everything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from previewbot.adapters.docker.cli import find_cli
from previewbot.adapters.docker.engine import connect
from previewbot.demo import sample
from previewbot.demo.github import repository as git
from previewbot.demo.github.state import Pull
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import Visitor, said, until
from tests.bench.floor import PAUSE, Bare, Confined, answered

_QUIET = 3.0
"""Seconds before each measurement in which what was replaced goes away."""


@dataclass
class Figures:
    """Seconds of every round."""

    previewbot: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    confined: list[float] = field(default_factory=list)
    building: list[float] = field(default_factory=list)
    """From the delivery to the comment that names the commit."""
    memory: list[float] = field(default_factory=list)
    """Megabytes that previewbot holds, at rest and after all pushes."""


async def measure(stage: Stage, pushes: int) -> Figures:
    """One push a round for previewbot and one for each script, in turn."""
    github, figures = stage.github, Figures(memory=[_resident(stage)])
    pull = await github.open_pull(stage.repository, author="alice", title="x", files={sample.GREETING: "warm\n"})
    visitor = Visitor(stage, pull)
    await until("the first release", lambda: visitor.serves(pull.sha))
    cli = (await find_cli(connect(stage.engine))).path
    with tempfile.TemporaryDirectory() as place:
        scripts = [(Bare(stage, cli, Path(place, "bare")), figures.bare)]
        scripts += [(Confined(stage, cli, Path(place, "confined")), figures.confined)]
        for script, _ in scripts:
            await asyncio.to_thread(script.deploy, pull.sha)
        for number in range(pushes):
            await _push(stage, visitor, f"round {number}\n", figures)
            for script, seconds in scripts:
                await asyncio.sleep(_QUIET)
                sha = await _commit(stage, pull, f"round {number} of {type(script).__name__}\n")
                seconds.append(await asyncio.to_thread(script.deploy, sha))
        for script, _ in scripts:
            await asyncio.to_thread(script.end)
    figures.memory.append(_resident(stage))
    return figures


def _resident(stage: Stage) -> float:
    assert stage.process
    status = Path(f"/proc/{stage.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def _push(stage: Stage, visitor: Visitor, text: str, figures: Figures) -> None:
    """Push one commit, and wait until the URL answers with it and the comment has told of it."""
    pull = visitor.pull
    await until("a quiet moment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))
    await asyncio.sleep(_QUIET)
    sha = await stage.github.push(stage.repository, pull, {sample.GREETING: text})
    building = asyncio.create_task(until("the comment", lambda: said(pull, sha[:7]), pause=PAUSE))
    figures.previewbot.append(await answered(stage, sha, visitor.host()))
    figures.building.append(await building)
    await until("the comment", lambda: said(pull, "**Preview is ready**", sha[:7]))


async def _commit(stage: Stage, pull: Pull, text: str) -> str:
    """Make a commit that nobody tells previewbot of."""
    folder = stage.github.folder(stage.repository)
    return await git.commit(folder, pull.sha, {sample.GREETING: text}, "x", refs=["refs/heads/floor"])


def summary(figures: Figures) -> dict[str, float]:
    """p50 and p95 of all, and the ratios."""

    def at(values: list[float], share: float) -> float:
        return sorted(values)[min(len(values) - 1, int(len(values) * share))]

    mine, bare, confined = (statistics.median(each) for each in (figures.previewbot, figures.bare, figures.confined))
    return {
        "pushes": len(figures.previewbot),
        "previewbot_p50": mine,
        "previewbot_p95": at(figures.previewbot, 0.95),
        "floor_confined_p50": confined,
        "floor_confined_p95": at(figures.confined, 0.95),
        "floor_bare_p50": bare,
        "floor_bare_p95": at(figures.bare, 0.95),
        "ratio_confined_p50": mine / confined,
        "ratio_bare_p50": mine / bare,
        "above_confined_p50": mine - confined,
        "above_bare_p50": mine - bare,
        "building_comment_p50": statistics.median(figures.building),
        "building_comment_max": max(figures.building),
        "memory_at_rest_mb": figures.memory[0],
        "memory_after_mb": figures.memory[-1],
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
