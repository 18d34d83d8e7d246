"""One part of a cluster dies, as a machine's would, and is started again on what it left."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from previewbot.demo.leftovers import born
from tests.cluster import parts
from tests.cluster.api import Api
from tests.cluster.box import Box, child, entered, first_process, spawn
from tests.cluster.state import Cluster

_PATIENCE = 60.0


def kill(cluster: Cluster, part: str, *, within: bool = False) -> None:
    """End a part without a word, and wait until it is gone; ``within``: what it runs in its own place."""
    entering = json.loads((_box(cluster).folder / "pids" / f"{part}.json").read_text())
    assert born(entering["pid"]) == entering["born"], f"{part} is not up"
    program = child(entering["pid"])
    assert program
    if within:
        program = child(program)
        assert program
    os.kill(program, signal.SIGKILL)
    until = time.monotonic() + _PATIENCE
    while born(program):
        assert time.monotonic() < until
        time.sleep(0.02)


def start_api_server(cluster: Cluster) -> None:
    """Start the API server again, and wait until it is ready."""
    box = _box(cluster)
    programs = {name: Path(path) for name, path in cluster.programs.items()}
    (part,) = (each for each in parts.heart(box, programs) if each.name == "apiserver")
    first = first_process(box)
    assert first
    spawn(box, part.name, [*entered(first, *part.namespaces), *part.command], {**os.environ, **part.variables})
    until = time.monotonic() + _PATIENCE
    while not _is_ready(box):
        assert time.monotonic() < until, (box.folder / "logs" / "apiserver.log").read_text()[-2000:]
        time.sleep(0.1)


def _is_ready(box: Box) -> bool:
    try:
        Api(box).get("/readyz")
    except (OSError, LookupError):
        return False
    return True


def _box(cluster: Cluster) -> Box:
    assert cluster.processes, "only parts of a cluster that `make cluster` or the tests started can be killed"
    return Box(cluster.number)
