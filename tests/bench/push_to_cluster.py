"""Push to URL and close to gone on Kubernetes, against a bare script (``tests.bench.cluster_floor``).

Run ``python -m tests.bench.push_to_cluster [--pushes N] [--closes N] [--json]``. A push is timed from its delivery
being sent until the URL answers with its commit, a close until the namespace is gone. Both sides use the same cluster,
sample app and manifests, one after the other in each round, so that what else the machine does hits them both. The
cluster is one of ``tests/cluster``, started for this; ``PREVIEWBOT_TEST_KUBECONFIG`` names another one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from previewbot.adapters.kubernetes.kinds import NAMESPACE
from previewbot.adapters.kubernetes.names import Names
from previewbot.demo import sample
from previewbot.demo.github import repository as git
from previewbot.demo.github.state import Pull
from previewbot.demo.ground import ClusterGround
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import Visitor, said, until
from tests.bench.cluster_floor import Floor
from tests.bench.floor import PAUSE, ask
from tests.cluster import lifecycle, state
from tests.cluster.state import Cluster

_QUIET = 3.0
"""Seconds before each measurement in which what was replaced goes away."""
_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it fill a second evenly, however many there are."""


@dataclass
class Figures:
    """Seconds of every round."""

    push: list[float] = field(default_factory=list)
    floor_push: list[float] = field(default_factory=list)
    building: list[float] = field(default_factory=list)
    """From the delivery to the comment that names the commit."""
    close: list[float] = field(default_factory=list)
    floor_close: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """p50 and p95 of all, and how far previewbot is from the script."""
        sides = ("push", "floor_push", "building", "close", "floor_close")
        found: dict[str, float] = {"pushes": len(self.push), "closes": len(self.close)}
        for name in sides:
            values = sorted(getattr(self, name))
            found[f"{name}_p50"] = statistics.median(values)
            found[f"{name}_p95"] = values[min(len(values) - 1, int(len(values) * 0.95))]
        for name in ("push", "close"):
            mine, floor = found[f"{name}_p50"], found[f"floor_{name}_p50"]
            found |= {f"{name}_ratio_p50": mine / floor, f"{name}_above_p50": mine - floor}
        return found


@dataclass(frozen=True, slots=True)
class Bench:
    """Both sides, on one cluster."""

    stage: Stage
    cluster: Cluster
    figures: Figures

    async def measure_pushes(self, folder: Path, count: int) -> None:
        """One push a round for previewbot and one for the script, in turn."""
        visitor = await self._open("warm\n")
        pull, floor = visitor.pull, Floor(self.stage, self.cluster, folder)
        await asyncio.to_thread(floor.deploy, pull.sha)
        for number in range(count):
            await _calm(number)
            await self._push(visitor, f"round {number}\n")
            await _calm(number)
            sha = await self._commit(pull, f"round {number} of the floor\n")
            self.figures.floor_push.append(await asyncio.to_thread(floor.deploy, sha))
        await self._close(visitor)
        await asyncio.to_thread(floor.end)

    async def measure_closes(self, folder: Path, count: int) -> None:
        """One environment of each side a round, which goes while nothing else happens."""
        for number in range(count):
            place = folder / str(number)
            place.mkdir()
            visitor = await self._open(f"close {number}\n")
            floor = Floor(self.stage, self.cluster, place, number + 2)
            await asyncio.to_thread(floor.deploy, visitor.pull.sha)
            await asyncio.sleep(_QUIET)
            self.figures.close.append(await self._close(visitor))
            await asyncio.sleep(_QUIET)
            self.figures.floor_close.append(await asyncio.to_thread(floor.end))

    async def _open(self, text: str) -> Visitor:
        stage = self.stage
        pull = await stage.github.open_pull(stage.repository, author="alice", title="x", files={sample.GREETING: text})
        visitor = Visitor(stage, pull)
        await until("the release", lambda: visitor.serves(pull.sha))
        await until("the comment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))
        return visitor

    async def _push(self, visitor: Visitor, text: str) -> None:
        """Push one commit, and wait until the URL answers with it and the comment has told of it."""
        pull, stage = visitor.pull, self.stage
        sha = await stage.github.push(stage.repository, pull, {sample.GREETING: text})
        building = asyncio.create_task(until("the comment", lambda: said(pull, sha[:7]), pause=PAUSE))
        began = time.monotonic()
        await asyncio.to_thread(ask, sha, "127.0.0.1", stage.door, visitor.host())
        self.figures.push.append(time.monotonic() - began)
        self.figures.building.append(await building)
        await until("the comment", lambda: said(pull, "**Preview is ready**", sha[:7]))

    async def _close(self, visitor: Visitor) -> float:
        began = time.monotonic()
        self.stage.github.close(self.stage.repository, visitor.pull)
        await until("nothing is left", self._has_no_namespace, pause=PAUSE)
        return time.monotonic() - began

    async def _has_no_namespace(self) -> bool:
        assert isinstance(self.stage.ground, ClusterGround)
        mine = Names(self.stage.instance).selector
        return not (await self.stage.ground.api.list(NAMESPACE, labelSelector=mine)).things

    async def _commit(self, pull: Pull, text: str) -> str:
        """Make a commit that nobody tells previewbot of."""
        folder = self.stage.github.folder(self.stage.repository)
        return await git.commit(folder, pull.sha, {sample.GREETING: text}, "x", refs=["refs/heads/floor"])


async def _calm(number: int) -> None:
    """Let what was replaced go away, and begin each round at another moment of the node's second.

    A kubelet looks once a second at what it started. Whoever begins a fixed time after the last end, which was at such
    a look, would always wait for just as long: one side for next to nothing, the other for a whole second.
    """
    await asyncio.sleep(_QUIET + number * _GOLDEN % 1)


@contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    given = os.environ.get("PREVIEWBOT_TEST_KUBECONFIG")
    if given:
        yield state.reuse(Path(given))
        return
    try:
        yield lifecycle.up(folder, _say, dies_with_us=True)
    finally:
        lifecycle.down(folder, _say)


async def _run(cluster: Cluster, folder: Path, pushes: int, closes: int) -> Figures:
    figures = Figures()
    cluster.save(folder)
    for each in ("pushes", "closes"):
        (folder / each).mkdir()
    async with staged(folder / "stage", say=_say, cluster=folder / "state.json") as stage:
        bench = Bench(stage, cluster, figures)
        await bench.measure_pushes(folder / "pushes", pushes)
        await bench.measure_closes(folder / "closes", closes)
    return figures


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=12)
    parser.add_argument("--closes", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, _cluster(Path(made, "cluster")) as cluster:
        found = asyncio.run(_run(cluster, Path(made), options.pushes, options.closes)).summary()
    if options.json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        print(f"{name:<22} {value:8.3f}" if "_" in name else f"{name:<22} {value:8.0f}")
    return 0


def _say(text: str) -> None:
    print(f"· {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
