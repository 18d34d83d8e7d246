"""`make demo ARGS=--once` as a person runs it: it sees everything, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest

from previewbot.demo.story import saw_no_drop
from tests.cluster.state import Cluster


@pytest.mark.parametrize(
    ("asked", "failed", "saw"), [(50, [], True), (49, [], False), (0, [], False), (500, ["502"], False)]
)
def test_nothing_was_dropped_only_for_a_visitor_who_asked_often(asked: int, failed: list[str], saw: bool) -> None:
    assert saw_no_drop(asked, failed, seconds=10) is saw


@pytest.mark.engine
@pytest.mark.timeout(400)
def test_the_demo_sees_the_whole_story_and_leaves_nothing(tmp_path: Path) -> None:
    before = _processes()
    _see_all(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert _processes() <= before


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_by_a_signal_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    before = _processes()
    with subprocess.Popen(
        # A shell lets what it starts in the background ignore Ctrl-C, and all that is started from there.
        ["env", "--default-signal=INT", sys.executable, "-u", "-m", "previewbot", "demo"],
        cwd=tmp_path,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout
        said = ""
        while "Ctrl-C ends it all" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        (things,) = tmp_path.glob("**/things.json")
        found = json.loads(things.read_text())
        client = docker.APIClient(found["engine"], version="auto")
        mine = {"label": f"previewbot.instance={found['instance']}"}
        while not client.containers(filters=mine):  # something is there that has to go
            time.sleep(0.1)
        is_ours = found["engine"].startswith("unix:///tmp/pb-engine-")
        demo.send_signal(number)
        rest = demo.stdout.read()
        assert demo.wait() == 0, rest
    assert "Everything is taken down." in rest
    if not is_ours:
        assert not client.containers(all=True, filters=mine)
        assert not client.networks(filters=mine)
        assert not client.images(filters=mine)
    client.close()
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
    for seen in ("the comment says Building", "the URL serves the new commit", "was dropped", "nothing of it is left"):
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
