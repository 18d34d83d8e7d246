"""The box that a cluster runs in: Linux namespaces for processes, mounts and network, made, entered and removed.

Every box has a number, a folder ``/var/tmp/previewbot-cluster/<number>``, an interface ``pbk<number>``, cgroups
``previewbot-cluster-<number>`` and three ports on the loopback. Nothing of it has a meaning outside. The standard
library is all that this file needs, so that what a killed run left can be taken away with any Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from previewbot.demo.leftovers import born, run
from previewbot.demo.machine import MachineError

ROOT = Path("/var/tmp/previewbot-cluster")
"""Where boxes have their folders: on a disk, short enough for names of sockets, and not hidden inside."""

_NUMBERS = range(60, 90)
_PATIENCE = 30.0
"""Seconds that the kernel may take to end everything in a box."""

KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet wants of the whole machine's kernel. It is shown files that say so, and changes nothing."""


@dataclass(frozen=True, slots=True)
class Box:
    """The names that belong to one number."""

    number: int

    @property
    def folder(self) -> Path:
        """Where all its files are."""
        return ROOT / str(self.number)

    @property
    def link(self) -> str:
        """The interface through which the machine reaches it."""
        return f"pbk{self.number}"

    @property
    def cgroup(self) -> str:
        """The cgroup under which its pods and builds run, in every hierarchy."""
        return f"previewbot-cluster-{self.number}"

    @property
    def network(self) -> str:
        """Everything that has an address in it: pods below .64, the node at .64, services above .127."""
        return f"10.{self.number}.0.0/16"

    @property
    def pods(self) -> str:
        """The pods' addresses."""
        return f"10.{self.number}.0.0/24"

    @property
    def fence(self) -> Path:
        """The socket at which new pods wait for the rules of their network."""
        return self.folder / "fence.sock"

    @property
    def outside(self) -> str:
        """The machine's address, seen from the box."""
        return f"10.{self.number}.64.0"

    @property
    def node(self) -> str:
        """The box's own address: the node's, the API server's and the name server's."""
        return f"10.{self.number}.64.1"

    @property
    def registry(self) -> str:
        """Where the registry listens, under the same name in the box and outside."""
        return f"localhost:{25000 + self.number}"

    @property
    def secure_registry(self) -> str:
        """The same registry over TLS, where pods reach it, too."""
        return f"{self.outside}:{25000 + self.number}"

    @property
    def guarded_registry(self) -> str:
        """Where a test may have a registry of its own over TLS: nodes and BuildKit trust its certificate."""
        return f"{self.outside}:{27000 + self.number}"

    @property
    def secure_buildkit(self) -> str:
        """BuildKit over TCP, where both sides prove who they are."""
        return f"tcp://{self.outside}:{26000 + self.number}"

    @property
    def ingress(self) -> str:
        """Where Traefik listens on the machine's loopback."""
        return f"127.0.0.1:{26000 + self.number}"

    @property
    def secure_ingress(self) -> str:
        """The same over TLS."""
        return f"127.0.0.1:{27000 + self.number}"


# --- making one -----------------------------------------------------------------------------------------------------


def claim(owner: Mapping[str, object]) -> Box:
    """Take the first number whose network and ports nobody uses, and note who has it."""
    ROOT.mkdir(parents=True, exist_ok=True)
    aside = ROOT / f".{os.getpid()}-{time.monotonic_ns()}"
    aside.mkdir()
    (aside / "owner.json").write_text(json.dumps(owner))
    shown = run("ip", "-4", "-o", "addr").stdout + run("ip", "-4", "-o", "route", "show", "table", "all").stdout
    taken = f" {' '.join(shown.split())} "
    for box in (Box(number) for number in _NUMBERS):
        if f" 10.{box.number}." not in taken and _are_free(box.registry, box.ingress, box.secure_ingress):
            with contextlib.suppress(OSError):
                aside.rename(box.folder)
                return box
    shutil.rmtree(aside)
    raise MachineError("No network 10.60 to 10.89 with free ports is left on this machine for a cluster.")


def _are_free(*addresses: str) -> bool:
    for each in addresses:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", int(each.rpartition(":")[2])))
            except OSError:
                return False
    return True


def open_box(box: Box, *, dies_with_us: bool) -> int:
    """Make the namespaces, their network, mounts and cgroups; returns the id of the box's first process.

    That process sleeps, and ignores the ends of orphans, which the kernel then forgets by itself.
    """
    bound = ["setpriv", "--pdeathsig", "KILL"] if dies_with_us else []
    command = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    sleeping = ["env", "--ignore-signal=CHLD", "sleep", "infinity"]
    holder = spawn(box, "unshare", [*bound, *command, *sleeping], os.environ)
    first = _wait_for_first(holder)
    note(box, "first", first)
    _connect(box, first)
    _mount(box, first)
    _make_cgroups(box)
    return first


def _wait_for_first(holder: int) -> int:
    """The id of what runs in the box, once it is no longer a copy of unshare."""
    for _ in range(500):
        with contextlib.suppress(OSError):
            first = child(holder)
            if first and Path(f"/proc/{first}/comm").read_text().strip() == "sleep":
                return first
        if not born(holder):
            break
        time.sleep(0.01)
    raise MachineError("Namespaces cannot be made here. A cluster needs root, and a machine or container that may.")


def spawn(box: Box, name: str, command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Start a process that nobody waits for, and note it; what it says goes to ``logs/<name>.log``."""
    logs = box.folder / "logs"
    logs.mkdir(exist_ok=True)
    said = str(logs / f"{name}.log")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    program = shutil.which(command[0]) or command[0]
    pid = os.posix_spawn(program, list(command), dict(variables), file_actions=actions, setsid=True)
    note(box, name, pid)
    return pid


def child(pid: int) -> int | None:
    """The first child of a process."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else None


def entered(first: int, *namespaces: str) -> list[str]:
    """The beginning of a command that runs in namespaces of a box: ``net``, ``mount``, ``pid``, ``ipc``."""
    return ["nsenter", "--target", str(first), *(f"--{each}" for each in namespaces or ("net", "mount", "pid", "ipc"))]


def _connect(box: Box, first: int) -> None:
    """Lead the machine into the box, and nothing out of it: no pod reaches a network."""
    inside = entered(first, "net")
    for command in (
        ["ip", "link", "add", box.link, "type", "veth", "peer", "name", "eth0", "netns", str(first)],
        ["ip", "addr", "add", f"{box.outside}/31", "dev", box.link],
        ["ip", "link", "set", box.link, "up"],
        [*inside, "ip", "addr", "add", f"{box.node}/31", "dev", "eth0"],
        [*inside, "ip", "link", "set", "eth0", "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
        ["ip", "route", "add", box.network, "via", box.node],
    ):
        _must(command)
    # Each packet that a rule refuses is answered, however many there are: programs wait for none.
    for setting, value in (("ip_forward", "1"), ("icmp_ratelimit", "0")):
        _must([*entered(first, "net", "mount", "pid"), "tee", f"/proc/sys/net/ipv4/{setting}"], said=value)


def _mount(box: Box, first: int) -> None:
    """Give the box folders of its own where programs insist on one of the machine's."""
    for name in ("lib", "log", "kernel"):
        (box.folder / name).mkdir()
    commands = [
        ["mount", "--make-rshared", "/"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
        ["mount", "--bind", str(box.folder / "lib"), "/var/lib"],
        ["mount", "--bind", str(box.folder / "log"), "/var/log"],
    ]
    for setting, value in KERNEL.items():
        shown = box.folder / "kernel" / setting.replace("/", ".")
        shown.write_text(f"{value}\n")
        commands.append(["mount", "--bind", str(shown), f"/proc/sys/{setting}"])
    names = Path("/etc/resolv.conf").resolve()
    for command in commands:
        _must([*entered(first, "mount", "pid"), *command])
    if names.is_relative_to("/run") and names.exists():  # builds ask the machine's name servers, too
        _must([*entered(first, "mount", "pid"), "mkdir", "-p", str(names.parent)])
        _must([*entered(first, "mount", "pid"), "tee", str(names)], said=names.read_text())


def _must(command: Sequence[str], said: str | None = None) -> None:
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"The cluster's box cannot be made ({' '.join(command)}: {done.stderr.strip()})")


# --- cgroups --------------------------------------------------------------------------------------------------------


def _hierarchies() -> Iterator[Path]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            yield Path(folder)


def _make_cgroups(box: Box) -> None:
    for each in _hierarchies():
        ours = each / box.cgroup
        ours.mkdir(exist_ok=True)
        for folder in (each, ours):
            _hand_on_controllers(folder)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (each / name).exists():
                (ours / name).write_text((each / name).read_text())


def _hand_on_controllers(folder: Path) -> None:
    """Let the cgroups below limit what this one can, where that has to be said (cgroup v2)."""
    control = folder / "cgroup.subtree_control"
    if control.exists():
        for each in (folder / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # one that somebody uses otherwise is not to be had
                control.write_text(f"+{each}")


def _remove_cgroups(box: Box) -> None:
    for each in _hierarchies():
        for _ in range(100):
            for folder, _, _ in os.walk(each / box.cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
            if not (each / box.cgroup).exists():
                break
            time.sleep(0.05)


# --- finding and removing -------------------------------------------------------------------------------------------


def note(box: Box, name: str, pid: int) -> None:
    """Write down a process of the box, so that it is found again and never taken for another of its number."""
    pids = box.folder / "pids"
    pids.mkdir(exist_ok=True)
    (pids / f"{name}.json").write_text(json.dumps({"pid": pid, "born": born(pid)}))


def boxes() -> Iterator[Box]:
    """Every box that has a folder on this machine."""
    if ROOT.is_dir():
        for each in sorted(ROOT.iterdir()):
            if each.name.isdigit():
                yield Box(int(each.name))


def remove_unclaimed() -> None:
    """Delete the folders of those who were killed before they had claimed a number."""
    for each in ROOT.glob(".*-*"):
        if not born(int(each.name[1:].partition("-")[0])):
            shutil.rmtree(each, ignore_errors=True)
    with contextlib.suppress(OSError):
        ROOT.rmdir()


def owner(box: Box) -> dict[str, object]:
    """Who claimed the number: the process, and the folder of its state."""
    return _read(box.folder / "owner.json")


def first_process(box: Box) -> int | None:
    """The id of the first process in the box, while that one lives."""
    return _alive(_read(box.folder / "pids" / "first.json"))


def is_up(box: Box) -> bool:
    """Whether everything in the box was started, and it still stands."""
    return (box.folder / "up").exists() and first_process(box) is not None


def ended(box: Box) -> Sequence[str]:
    """The parts that were started there and do not run any more."""
    found = {each.stem: _read(each) for each in sorted((box.folder / "pids").glob("*.json"))}
    return [name for name, about in found.items() if _alive(about) is None]


def is_in_use(box: Box) -> bool:
    """Whether the box is up, or somebody who lives is about to bring it up."""
    return is_up(box) or (not (box.folder / "up").exists() and _alive(owner(box)) is not None)


def remove(box: Box) -> None:
    """End everything in the box, and take away every trace of it; does nothing where there is none."""
    notes = [_read(each) for each in (box.folder / "pids").glob("*.json")]
    for name in ("first", "unshare"):
        found = _read(box.folder / "pids" / f"{name}.json")
        if pid := _alive(found):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _wait_until_gone(found)
    _forget(notes)
    run("ip", "link", "del", box.link)
    _remove_cgroups(box)
    for _ in range(50):
        shutil.rmtree(box.folder, ignore_errors=True)
        if not box.folder.exists():
            break
        time.sleep(0.1)
    with contextlib.suppress(OSError):
        ROOT.rmdir()


def _wait_until_gone(found: Mapping[str, object]) -> None:
    """The first process of a box ends last: once it is gone, so is everything that ran there."""
    until = time.monotonic() + _PATIENCE
    while _alive(found):
        if time.monotonic() > until:
            raise MachineError(f"Process {found['pid']} of the cluster does not end.")
        time.sleep(0.02)


def _forget(ended: Iterable[Mapping[str, object]]) -> None:
    """Let the kernel forget those that were our own children, once they ended, as they do with the box."""
    until = time.monotonic() + _PATIENCE
    for pid in (int(str(each.get("pid", 0))) for each in ended):
        with contextlib.suppress(ChildProcessError):
            while pid and not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.02)


def _alive(found: Mapping[str, object]) -> int | None:
    pid = int(str(found.get("pid", 0)))
    return pid if pid and found.get("born") and born(pid) == found["born"] else None


def _read(file: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_text())
        return found if isinstance(found, dict) else {}
    return {}
