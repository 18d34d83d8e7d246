"""The full stack: seconds from a push to the URL answering with its commit, against scripts that do it by hand.

Run ``python -m tests.bench.full_stack [--pushes N] [--opens N] [--json]``. A push changes one line in one of three
images; what the scripts do, and why, is told in ``tests.bench.stack_floor``. All sides use the same machine, engine,
app and servers, one after the other in each round. It fails where previewbot builds more than the image that a push
touched, or starts more than its service. ``ratio_released`` is what is aimed at (1.3 at most): that script does the
same job. ``hook`` tells how long the release hook alone takes by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from previewbot.adapters.docker.cli import find_cli
from previewbot.adapters.docker.engine import connect
from previewbot.demo.github import repository as git
from previewbot.demo.github.state import Pull
from previewbot.demo.ground import EngineGround
from previewbot.demo.story import until
from tests.bench.floor import answered
from tests.bench.stack_floor import Rebuilt, Released, Touched
from tests.stack.place import PATIENCE, Stack, stacked
from tests.stack.servers import STACK

_TOUCHED = "web/words.txt"
_QUIET = 3.0
"""Seconds before each measurement in which what was replaced goes away."""


class TooMuchError(Exception):
    """Something was built that no push had touched."""


@dataclass
class Figures:
    """Seconds of every round."""

    opens: list[float] = field(default_factory=list)
    """From the delivery of a new pull request to its URL: with two databases, migrated and filled."""
    pushes: list[float] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    """How many services of the app each push started."""
    touched: list[float] = field(default_factory=list)
    released: list[float] = field(default_factory=list)
    rebuilt: list[float] = field(default_factory=list)


async def measure(stack: Stack, pushes: int, opens: int) -> Figures:
    """Open pull requests one after the other, and push to the last of them, in turn with each script."""
    figures = Figures()
    pull = await stack.open(words="warm")
    for number in range(opens):
        await _close(stack, pull)
        pull = await _open(stack, f"opened {number}", figures)
    assert isinstance(stack.stage.ground, EngineGround)
    cli = (await find_cli(connect(stack.stage.ground.engine))).path
    with tempfile.TemporaryDirectory() as place:
        kinds = ((Touched, figures.touched), (Released, figures.released), (Rebuilt, figures.rebuilt))
        scripts = [(kind(stack, cli, Path(place, kind.name)), seconds) for kind, seconds in kinds]
        try:
            for script, _ in scripts:
                await asyncio.to_thread(script.prepare, pull.sha)
            for number in range(pushes):
                await _push(stack, pull, f"round {number}", figures)
                await _by_hand(stack, pull, number, scripts)
        finally:
            for script, _ in scripts:
                await asyncio.to_thread(script.end)
    return figures


async def _open(stack: Stack, words: str, figures: Figures) -> Pull:
    """Open a pull request, and wait until its URL answers; only one of its images is new."""
    before = _built(stack)
    hub = stack.stage.github
    pull = await hub.open_pull(stack.repository, author="alice", title="x", files={_TOUCHED: f"{words}\n"})
    figures.opens.append(await _answer(stack, pull))
    await stack.ready(pull)
    _check(stack, before)
    return pull


async def _close(stack: Stack, pull: Pull) -> None:
    stack.stage.github.close(stack.repository, pull)
    await until("everything is gone", stack.stage.is_empty, patience=PATIENCE)
    await asyncio.sleep(_QUIET)


async def _push(stack: Stack, pull: Pull, words: str, figures: Figures) -> None:
    """Push one commit, wait until the URL answers with it, and see that nothing else was built."""
    await stack.ready(pull)
    await asyncio.sleep(_QUIET)
    before, running = _built(stack), _running(stack)
    await stack.push(pull, words=f"{words}\n")
    figures.pushes.append(await _answer(stack, pull))
    await stack.ready(pull)
    figures.started.append(len(_running(stack) - running))
    _check(stack, before)
    if figures.started[-1] > 1:
        raise TooMuchError(f"a change in {_TOUCHED} had {figures.started[-1]} services started")


async def _answer(stack: Stack, pull: Pull) -> float:
    """Ask until the URL answers with the newest commit, and say how many seconds that took."""
    return await answered(stack.stage, pull.sha, stack.host(pull))


async def _by_hand(stack: Stack, pull: Pull, number: int, scripts: Sequence[tuple[Touched, list[float]]]) -> None:
    """Give each script a commit of its own, which nobody tells previewbot of."""
    folder = stack.stage.github.folder(stack.repository)
    for script, seconds in scripts:
        await asyncio.sleep(_QUIET)
        files = {_TOUCHED: f"round {number} of {script.name}\n"}
        sha = await git.commit(folder, pull.sha, files, "x", refs=["refs/heads/floor"])
        seconds.append(await asyncio.to_thread(script.deploy, sha))


def _built(stack: Stack) -> Sequence[str]:
    """The services whose images were built, as previewbot's record tells of every build."""
    file = stack.stage.folder / "state" / "previewbot.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as record:
        return [
            json.loads(body)["service"] for (body,) in record.execute("SELECT body FROM builds ORDER BY started_at")
        ]


def _check(stack: Stack, before: Sequence[str]) -> None:
    new = _built(stack)[len(before) :]
    if new != ["web"]:
        raise TooMuchError(f"a change in {_TOUCHED} had these images built: {new}")


def _running(stack: Stack) -> frozenset[str]:
    """The containers of the app's own services that are there."""
    assert isinstance(stack.stage.ground, EngineGround)
    with closing(stack.stage.ground.client()) as client:
        found = client.containers(filters={"label": f"previewbot.instance={stack.stage.instance}"})
    return frozenset(each["Id"] for each in found if each["Labels"]["previewbot.service"] in {"web", "api", "worker"})


def summary(figures: Figures) -> dict[str, float]:
    """p50 and p95 of all, and the ratios."""
    found: dict[str, float] = {"pushes": len(figures.pushes), "opens": len(figures.opens)}
    sides = {"previewbot": figures.pushes, "touched": figures.touched}
    sides |= {"released": figures.released, "rebuilt": figures.rebuilt, "first_url": figures.opens}
    for name, seconds in sides.items():
        found |= {f"{name}_p50": statistics.median(seconds), f"{name}_p95": _late(seconds)}
    for name in ("touched", "released", "rebuilt"):
        found[f"ratio_{name}_p50"] = found["previewbot_p50"] / found[f"{name}_p50"]
    found["services_started_each"] = statistics.mean(figures.started)
    found["hook_p50"] = found["released_p50"] - found["touched_p50"]
    return found


def _late(seconds: Sequence[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.95))]


async def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=10)
    parser.add_argument("--opens", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with stacked(Path(folder), "stack", STACK, say=_say) as stack:
            found = summary(await measure(stack, options.pushes, options.opens))
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:<22} {value:8.0f}" if name in ("pushes", "opens") else f"{name:<22} {value:8.3f}")
    return 0


def _say(text: str) -> None:
    print(f"· {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
