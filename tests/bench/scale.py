"""Scale without containers: many environments of two services each, opened, looked at and closed all at once.

Run ``python -m tests.bench.scale [--sizes 50,100,200] [--json]``. The control plane is a real one, on which kwok says
that every pod runs (``tests.cluster.pretence``); the engine, its SQLite store and the adapters for Kubernetes are the
real ones, and GitHub, git and the builder are in memory and answer at once. Each size is a process of its own.

Control plane and previewbot share the machine, so seconds tell of both; calls and CPU seconds tell of previewbot alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from previewbot.adapters.kubernetes.kinds import NAMESPACE
from previewbot.demo.machine import dies_with_us
from previewbot.ports import DeploymentState
from tests.bench.crowd import Crowd, crowd
from tests.cluster import lifecycle

_PATIENCE = 600
"""Seconds that one size may take."""
_PAUSE = 0.02
_LOOKS = 5

Figures = dict[str, float]


async def measure(kubeconfig: Path, count: int) -> Figures:
    """Open so many environments, look at them, and close them."""
    found: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        async with crowd(kubeconfig, Path(folder), count) as made:
            before = _memory()
            found |= await _timed(made, "open", lambda: made.pulls.deployed[DeploymentState.SUCCESS] >= count)
            found["memory, MiB"] = (_memory() - before) / 2**20
            await _quiet(made)
            found |= await _look(made)
            made.passes.clear()
            found |= await _timed(made, "idle", lambda: len(made.passes) == count)
            made.pulls.are_open = False
            found |= await _timed(made, "close", lambda: not made.mirror.of(NAMESPACE))
    return found


async def _timed(made: Crowd, what: str, is_done: Callable[[], bool]) -> Figures:
    """Touch every environment, and say what it took until all were done."""
    count, asked, passes = len(made.pulls.commits), made.counted.asked, made.passes.total()
    began, worked = time.monotonic(), time.process_time()
    await made.touch()
    while not is_done():
        if made.pulls.deployed[DeploymentState.FAILURE]:
            raise RuntimeError(f"{what}: an environment failed")
        await asyncio.sleep(_PAUSE)
    return {
        f"{what}, s": time.monotonic() - began,
        f"{what}, CPU s": time.process_time() - worked,
        f"{what}, calls each": (made.counted.asked - asked) / count,
        f"{what}, passes each": (made.passes.total() - passes) / count,
    }


async def _look(made: Crowd) -> Figures:
    """How long the adapters take to look at one environment."""
    began = time.process_time()
    for _ in range(_LOOKS):
        for key in made.pulls.commits:
            await made.world.runtime.observe(key)
            await made.world.front_door.observe(key)
    return {"look, CPU ms": (time.process_time() - began) * 1000 / _LOOKS / len(made.pulls.commits)}


async def _quiet(made: Crowd) -> None:
    """Wait until no environment has had a pass for a while."""
    seen = -1
    while seen != made.passes.total():
        seen = made.passes.total()
        await asyncio.sleep(3)


def _memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _apart(kubeconfig: Path, count: int) -> Figures:
    """Measure one size in a process of its own."""
    command = (sys.executable, "-m", "tests.bench.scale", "--sizes", str(count), "--kubeconfig", str(kubeconfig))
    done = subprocess.run((*dies_with_us(), *command), stdout=subprocess.PIPE, check=True, timeout=_PATIENCE + 30)
    found: Figures = json.loads(done.stdout)
    return found


def table(sizes: Mapping[int, Figures]) -> str:
    """A row for each figure; beside each size, how often the one before it."""
    lines = [f"{'environments':<20}" + "".join(f"{size:>10}{'':8}" for size in sizes)]
    for name in next(iter(sizes.values())):
        row, before = f"{name:<20}", None
        for found in sizes.values():
            grown = f" x{found[name] / before:<6.2f}" if before else f"{'':8}"
            row, before = f"{row}{found[name]:>10.2f}{grown}", found[name]
        lines.append(row)
    return "\n".join(lines)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="50,100,200")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kubeconfig", type=Path, help="measure one size here, on a cluster of its own")
    options = parser.parse_args()
    sizes = [int(each) for each in options.sizes.split(",")]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if options.kubeconfig:
        made = asyncio.run(asyncio.wait_for(measure(options.kubeconfig, sizes[0]), _PATIENCE))
        print(json.dumps(made))
        return 0

    def say(text: str) -> None:
        print(f"· {text}", file=sys.stderr)

    found: dict[int, Figures] = {}
    with lifecycle.pretended(say) as kubeconfig:
        for size in sizes:
            say(f"Measuring {size} environments")
            found[size] = _apart(kubeconfig, size)
    print(json.dumps(found) if options.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
