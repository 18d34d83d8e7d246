"""``python -m tests.cluster``: what ``make cluster`` and ``make cluster-down`` call, and more.

``up``, ``down`` and ``status`` · ``build``: every program, also those that no cluster needs · ``image NAME PACKAGE…``:
a Debian with these packages into the registry, as ``library/python:3.12`` for a Dockerfile's ``python:3.12``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from previewbot.demo.machine import MachineError
from tests.cluster import box as boxes
from tests.cluster import lifecycle
from tests.cluster.state import Cluster, load


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster")
    parser.add_argument("what", choices=("up", "down", "status", "build", "image"))
    parser.add_argument("words", nargs="*", help="with image: its repository:tag, and Debian packages")
    parser.add_argument("--state", type=Path, default=Path(".cluster"), help="folder of state.json and kubeconfig")
    parser.add_argument("--all", action="store_true", help="with down: every cluster of this machine")
    asked = parser.parse_args()
    try:
        return _do(asked.what, asked.state, asked.words, every=asked.all)
    except MachineError as error:
        print(error, file=sys.stderr)
        return 1


def _do(what: str, state: Path, words: Sequence[str], *, every: bool) -> int:
    if what == "up":
        print(_introduce(lifecycle.up(state, _say), state))
    elif what == "down":
        if every:
            lifecycle.down_all(_say)
        lifecycle.down(state, _say)
    elif what == "build":
        _build()
    elif what == "image":
        _make_image(load(state), *words)
    else:
        return _show(state)
    return 0


def _build() -> None:
    from tests.cluster import tools  # here, because taking a cluster down needs the standard library alone

    for path in tools.build(_say, tools.MODULES + tools.MORE).values():
        print(path)


def _make_image(cluster: Cluster, name: str, *packages: str) -> None:
    from tests.cluster import debian, images

    digest = images.push(cluster.registry, name, images.Layer.of(debian.filesystem(packages, _say)), debian.CONFIG)
    print(f"{cluster.registry}/{name}@{digest}")


def _show(state: Path) -> int:
    found = lifecycle.find(state)
    print(_introduce(load(state), state) if found else "No cluster is up here.")
    for each in boxes.boxes():
        if each != found:
            print(f"Another one, number {each.number}, belongs to {boxes.owner(each).get('state')}")
    return 0 if found else 1


def _introduce(cluster: Cluster, state: Path) -> str:
    return f"""
  kubectl     {cluster.programs["kubectl"]}
  KUBECONFIG  {state.absolute() / "kubeconfig"}
  registry    {cluster.registry}
  BuildKit    {cluster.buildkit}
  Ingress     http://{cluster.ingress} (class {cluster.ingress_class}; Gateway {cluster.gateway})
  logs        {cluster.logs}

The rest stands in {state / "state.json"}. `make cluster-down` takes everything away."""


def _say(text: str) -> None:
    print(f"· {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
