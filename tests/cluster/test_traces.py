"""A cluster that went down, or was killed, leaves nothing on the machine."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from previewbot.demo.leftovers import born
from tests.cluster import box as boxes
from tests.cluster import lifecycle
from tests.cluster.box import ROOT, Box
from tests.cluster.images import BASE
from tests.cluster.state import Cluster, load

T = TypeVar("T")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

_ELSEWHERE = (
    "/var/lib/kubelet", "/var/lib/cni", "/var/lib/etcd", "/var/lib/containerd", "/var/log/pods", "/var/log/containers",
    "/var/lib/buildkit", "/opt/containerd", "/opt/cni", "/etc/cni", "/run/containerd", "/run/buildkit", "/run/cni",
    "/run/xtables.lock", "/run/runc",
)  # fmt: skip
"""Where the programs put things on a machine that is theirs alone."""


def test_going_down_takes_everything_away(tmp_path: Path) -> None:
    before = _traces()
    made = lifecycle.up(tmp_path / "state", print)
    box = Box(made.number)
    inside = _processes(box)
    _use(made, tmp_path)
    lifecycle.down(tmp_path / "state", print)
    assert not (tmp_path / "state").exists()
    assert _alive(inside) == []
    assert _traces() == before


def test_one_that_was_killed_on_its_way_up_is_removed_by_the_next_command(tmp_path: Path) -> None:
    before = _traces()
    starting = _run_apart("up", tmp_path / "state")
    box = _eventually(lambda: _box_of(starting.pid))
    _eventually((box.folder / "logs" / "apiserver.log").exists)
    inside = _processes(box)
    starting.kill()
    starting.wait()
    assert _alive(inside), "it would not have had to be removed"
    lifecycle.down(tmp_path / "another", print)
    assert _alive(inside) == []
    assert _traces() == before


def test_one_of_a_killed_test_session_ends_with_it(tmp_path: Path) -> None:
    before = _traces()
    session = _run_apart("hold", tmp_path / "state")
    _eventually(lambda: (tmp_path / "state" / "state.json").exists() or session.poll() is not None)
    box = Box(load(tmp_path / "state").number)
    inside = _processes(box)
    session.send_signal(signal.SIGKILL)
    session.wait()
    _eventually(lambda: not _alive(inside))
    lifecycle.clear_leftovers(print)
    assert _traces() == before


def test_a_second_up_finds_the_first_and_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    owner = Path(str(boxes.owner(Box(cluster.number))["state"]))
    assert lifecycle.up(owner, print) == cluster


def test_another_commands_cluster_is_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    lifecycle.down(tmp_path, print)
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"


def _use(cluster: Cluster, folder: Path) -> None:
    """Have pods, rules, volumes and build layers be there to be left."""
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo 1 > /one\n")
    image = cluster.build(folder, "traces/one:1")
    cluster.kubectl("create", "deployment", "one", f"--image={image}", "--replicas=2", "--", "sleep", "1000")
    cluster.kubectl("expose", "deployment", "one", "--port=80")
    cluster.kubectl("rollout", "status", "deployment/one", "--timeout=60s")


def _traces() -> dict[str, object]:
    """What of a cluster can be seen on the machine; things of others, who may work here at the same time, are not."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "previewbot-cluster" in line]
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout.splitlines()
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {
        "folders": sorted(ROOT.iterdir()) if ROOT.exists() else [],
        "mounts": mounts,
        "interfaces": sorted(each.name for each in Path("/sys/class/net").glob("pbk*")),
        "routes": [each for each in routes if " pbk" in each],
        "rules": [each for each in rules if re.search(r"KUBE|CNI|pbk", each)],
        "tables": _tables(),
        "cgroups": sorted(map(str, Path("/sys/fs/cgroup").glob("**/previewbot-cluster-*"))),
        "namespaces": sorted(map(str, Path("/run/netns").glob("*"))),
        "elsewhere": [each for each in _ELSEWHERE if Path(each).exists()],
        "kernel": {each: Path("/proc/sys", each).read_text() for each in boxes.KERNEL},
    }


def _tables() -> list[str]:
    """The fence's, on a machine that has nft by now."""
    nft = shutil.which("nft")
    shown = subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=True).stdout if nft else ""
    return [each for each in shown.splitlines() if "fence" in each]


def _processes(box: Box) -> list[tuple[int, str]]:
    """Every process in the box, and the two that hold it, with the times of their birth."""
    first = boxes.first_process(box)
    assert first
    ours = Path(f"/proc/{first}/ns/pid").readlink()
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "ns" / "pid").readlink() == ours:
                found.append((int(each.name), born(int(each.name))))
        except OSError:
            continue
    return found


def _alive(processes: list[tuple[int, str]]) -> list[int]:
    return [pid for pid, when in processes if when and born(pid) == when]


def _run_apart(what: str, state: Path) -> subprocess.Popen[bytes]:
    program = (
        "import sys, time; from pathlib import Path; from tests.cluster import lifecycle; "
        "lifecycle.up(Path(sys.argv[1]), print, dies_with_us=sys.argv[2] == 'hold'); time.sleep(600)"
    )
    return subprocess.Popen([sys.executable, "-c", program, str(state), what], cwd=Path(__file__).parents[2])


def _box_of(pid: int) -> Box | None:
    return next((each for each in boxes.boxes() if boxes.owner(each).get("pid") == pid), None)


def _eventually(look: Callable[[], T | None]) -> T:
    until = time.monotonic() + 120
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found
