"""The CNI plugin lets a pod go on when its rules are in force, and never else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from typing import Any

import pytest

from tests.cluster.fence import gate

MADE = {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.60.0.5/24"}], "interfaces": []}


class Door(UnixStreamServer):
    """A fence that answers what it is told to, and remembers what it was asked."""

    answer = b"true\n"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Question)
        self.asked: list[Mapping[str, Any]] = []


class Question(StreamRequestHandler):
    server: Door

    def handle(self) -> None:
        self.server.asked.append(json.loads(self.rfile.readline()))
        self.wfile.write(self.server.answer)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with Door(tmp_path / "fence.sock") as made:
        serving = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield made
        made.shutdown()
        serving.join()


def _call(command: str, path: str = "/nowhere", made: Mapping[str, Any] | None = MADE) -> tuple[int, dict[str, Any]]:
    given = {"cniVersion": "0.4.0", "name": "pods", "type": "gate", "socket": path, "prevResult": made}
    variables = {"CNI_COMMAND": command, "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web"}
    done = subprocess.run(
        [sys.executable, "-IS", gate.__file__],
        input=json.dumps(given), env=variables, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def test_a_pod_whose_rules_are_in_force_goes_on_as_it_was_made(door: Door) -> None:
    assert _call("ADD", str(door.server_address)) == (0, MADE)
    assert door.asked == [{"command": "ADD", "address": "10.60.0.5", "namespace": "shop", "pod": "web"}]


@pytest.mark.parametrize("answer", [b"false\n", b"", b"nonsense\n"])
def test_a_pod_whose_rules_are_not_in_force_does_not_start(door: Door, answer: bytes) -> None:
    door.answer = answer
    code, said = _call("ADD", str(door.server_address))
    assert (code, said["code"]) == (1, 100)
    assert "not in force" in said["msg"]


def test_a_pod_is_taken_away_also_where_nobody_knows_of_it(door: Door) -> None:
    assert _call("DEL", str(door.server_address)) == (0, {})
    assert [each["command"] for each in door.asked] == ["DEL"]
    assert _call("DEL") == (0, {})
    assert _call("DEL", made=None) == (0, {})


def test_it_says_which_versions_it_speaks() -> None:
    code, said = _call("VERSION")
    assert code == 0
    assert "0.4.0" in said["supportedVersions"]
