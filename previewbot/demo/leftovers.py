"""What a killed run left on the machine, and taking it away: processes, folders, bridges, things in an engine.

Whatever the demo and the tests start is noted in its folder until it has ended. ``make clean`` runs this file with any
Python, with or without a ``.venv``: the standard library is all that it needs. Nothing is ended for its name alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

Json = Any

_ENGINE_TIMEOUT = 20.0
"""Seconds that an engine may take to remove a container."""

RUN_PREFIX = "pb-engine-"
"""How the folders begin in which engines of ours have their sockets."""


class TakenError(Exception):
    """Another run uses the folder; the text says which process that is."""


# --- folders --------------------------------------------------------------------------------------------------------


def take(folder: Path) -> None:
    """Have a folder to ourselves, after cleaning up what a killed run left there; raises ``TakenError``."""
    owner = _read(folder / "owner.json")
    if owner and owner["born"] and born(owner["pid"]) == owner["born"]:
        raise TakenError(f"Process {owner['pid']} works in {folder} already. Wait for it, or end it.")
    clean(folder)
    folder.mkdir(parents=True)
    note(folder / "owner.json", os.getpid())


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Have a folder to ourselves for as long as the context lasts, and delete it then."""
    take(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def note(file: Path, pid: int) -> None:
    """Write down a process, so that it is found again, and never taken for another one of its number."""
    file.write_text(json.dumps({"pid": pid, "born": born(pid)}))


def note_things(folder: Path, engine: str, instance: str) -> None:
    """Write down whose label things carry in an engine that may outlive us."""
    (folder / "things.json").write_text(json.dumps({"engine": engine, "instance": instance}))


def clean(folder: Path) -> None:
    """End and remove everything that a note below a folder names, if it still is that, and delete the folder.

    Notes stand at most one folder deep: what an image holds deeper down is never read.
    """
    folder = folder.absolute()
    for each in (*_notes(folder, "owner.json"), *_notes(folder, "*.pid")):
        if (found := _read(each)) and found["pid"] != os.getpid():
            _finish(found["pid"], found["born"])
    for each in _notes(folder, "things.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            things = json.loads(each.read_text())
            _remove_things(str(things["engine"]), str(things["instance"]))
    for each in _notes(folder, "network"):
        with contextlib.suppress(OSError, ValueError):
            unbridge(int(each.read_text()))
    runs = [each.resolve() for each in _notes(folder, "run") if each.is_symlink()]
    remove(*(each for each in runs if each.name.startswith(RUN_PREFIX)), folder)


def remove(*folders: Path) -> None:
    """Delete folders of an engine that has ended, with whatever it left mounted there."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if any(each.startswith(f"{own}/") for own in folders)), reverse=True):
        run("umount", "-l", mount)
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)


def _notes(folder: Path, name: str) -> Iterator[Path]:
    yield from folder.glob(name)
    yield from folder.glob(f"*/{name}")


def _read(file: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(file.read_text())
        return {"pid": int(found["pid"]), "born": str(found["born"])}
    return None


# --- processes ------------------------------------------------------------------------------------------------------


def born(pid: int) -> str:
    """When a process started, which tells it from a later one of the same number; empty where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{boot} {fields[19]}"


def _finish(pid: int, when: str) -> None:
    """SIGTERM, then SIGKILL, a process that is no child of ours."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not when or born(pid) != when:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        for _ in range(200):
            if born(pid) != when:
                return
            time.sleep(0.1)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may be missing, and tell how it went."""
    try:
        return subprocess.run(command, capture_output=True, check=False, text=True)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")


# --- networks -------------------------------------------------------------------------------------------------------


def unbridge(number: int) -> None:
    """Take away the bridge of an engine of ours, those that the engine left, and their rules in the firewall."""
    own = f"pb{number}br"
    if not Path("/sys/class/net", own).exists():
        return
    lines = (line.split() for line in run("ip", "-4", "-o", "addr").stdout.splitlines())
    theirs = {words[1] for words in lines if words[3].startswith(f"10.{number}.") and words[1].startswith("br-")}
    left = theirs | {own}
    for table in ("filter", "nat"):
        asked = ("iptables", "-w", "-t", table)
        for rule in run(*asked, "-S").stdout.splitlines():
            words = rule.split()
            if words[0] == "-A" and any(word in left or word.startswith(f"10.{number}.") for word in words):
                run(*asked, "-D", *words[1:])
    for each in left:
        run("ip", "link", "del", each)


# --- things in an engine --------------------------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._patience = timeout

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._patience)
        self.sock.connect(self._path)


def connection(engine: str, timeout: float) -> http.client.HTTPConnection:
    """Make a connection to an engine at ``unix://…`` or ``tcp://…``, not opened yet; raises ``ValueError``."""
    scheme, _, rest = engine.partition("://")
    if scheme == "unix":
        return UnixConnection(rest, timeout)
    if scheme == "tcp":
        return http.client.HTTPConnection(rest, timeout=timeout)
    raise ValueError(engine)


def _remove_things(engine: str, instance: str) -> None:
    labelled = quote(json.dumps({"label": [f"previewbot.instance={instance}"]}))
    asked = connection(engine, _ENGINE_TIMEOUT)
    with contextlib.closing(asked):
        for each in _call(asked, "GET", f"/containers/json?all=1&filters={labelled}"):
            _call(asked, "DELETE", f"/containers/{each['Id']}?force=1&v=1")
        for each in _call(asked, "GET", f"/networks?filters={labelled}"):
            _call(asked, "DELETE", f"/networks/{each['Id']}")
        for each in _call(asked, "GET", f"/volumes?filters={labelled}")["Volumes"] or ():
            _call(asked, "DELETE", f"/volumes/{each['Name']}")
        for each in _call(asked, "GET", f"/images/json?filters={labelled}"):
            _call(asked, "DELETE", f"/images/{each['Id']}?force=1")


def _call(asked: http.client.HTTPConnection, method: str, path: str) -> Json:
    asked.request(method, path)
    answer = asked.getresponse()
    body = answer.read()
    return json.loads(body) if method == "GET" else None


if __name__ == "__main__":
    clean(Path(sys.argv[1]))
