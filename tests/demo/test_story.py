"""`make demo ARGS=--once` as a person runs it: it sees everything, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.state import Cluster


@pytest.mark.engine
@pytest.mark.timeout(400)
def test_the_demo_sees_the_whole_story_and_leaves_nothing(tmp_path: Path) -> None:
    before = _processes()
    _see_all(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert _processes() <= before


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_the_demo_sees_the_whole_story_in_a_cluster_too(tmp_path: Path, cluster: Cluster) -> None:
    cluster.save(tmp_path)
    _see_all(tmp_path, "--cluster", "state.json")
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
    ours = (
        "-l",
        "app.kubernetes.io/managed-by=previewbot",
        "-o",
        "jsonpath={.items[*].metadata.labels.previewbot\\.dev/instance}",
    )
    assert "demo-" not in cluster.kubectl("get", "namespaces", *ours)


def _see_all(folder: Path, *options: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "previewbot", "demo", "--once", *options],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for seen in ("the URL serves the new commit", "requests was dropped meanwhile", "nothing of it is left"):
        assert seen in done.stdout
    assert "All of it was seen to be true." in done.stdout


def _processes() -> set[str]:
    """Engines, front doors and previewbots that run, by what they were started with."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if any(word in command for word in ("dockerd", "caddy run", "previewbot serve")):
            found.add(f"{each.parent.name} {command}")
    return found
