"""What the demo and the tests need of the machine: an engine, Caddy, packages. Found where it is there, else installed.

Whatever is started here is a process of our own with folders of its own; it is ended by its id and leaves nothing.
Its id stands in a file until then, so that ``make clean`` finds what a killed run left.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

Say = Callable[[str], None]

_PATIENCE = 60.0
"""Seconds that an engine may take to come up."""

_BRIDGES = range(32, 60)
"""Third numbers of the networks 10.N.0.0/16 that an engine of ours may take."""


class MachineError(Exception):
    """The machine lacks something; the text says exactly what to do."""


def quiet(_: str) -> None:
    """Say nothing."""


# --- packages -------------------------------------------------------------------------------------------------------


async def install(*packages: str, say: Say = quiet) -> None:
    """Install Debian packages that are not there yet; raises ``MachineError`` where that cannot be done."""
    missing = [each for each in packages if not await asyncio.to_thread(_is_installed, each)]
    if not missing:
        return
    by_hand = f"Install it yourself: apt-get install {' '.join(missing)}"
    if not shutil.which("apt-get"):
        raise MachineError(f"{' '.join(missing)} is missing, and this is not Debian. {by_hand}")
    if os.geteuid() != 0:
        raise MachineError(f"{' '.join(missing)} is missing, and only root may install it. {by_hand}")
    say(f"Installing {' '.join(missing)} with apt-get")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", *missing)):
        process = await asyncio.create_subprocess_exec(
            "apt-get", *arguments, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        if process.returncode:
            tail = out.decode("utf-8", "replace")[-500:]
            raise MachineError(f"apt-get {arguments[0]} failed:\n{tail}\n{by_hand}")


def _is_installed(package: str) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    asked = ("dpkg-query", "-W", "-f", "${Status}", package)
    done = subprocess.run(asked, capture_output=True, check=False, text=True)
    return done.stdout.endswith("ok installed")


# --- processes ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def process(
    folder: Path, name: str, *command: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program of ours for as long as the context lasts; what it says goes to ``<name>.log`` in the folder."""
    _make(folder)
    with (folder / f"{name}.log").open("ab") as log:
        started = await asyncio.create_subprocess_exec(
            *dies_with_us(), *command, env=os.environ | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    note = folder / f"{name}.pid"
    note.write_text(json.dumps({"pid": started.pid, "command": command[0], "born": _born(started.pid)}))
    try:
        yield started
    finally:
        await _end(started)
        note.unlink(missing_ok=True)


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def dies_with_us() -> tuple[str, ...]:
    """Have Linux end a process should we be killed ourselves."""
    return ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


async def _end(started: asyncio.subprocess.Process) -> None:
    if started.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        started.terminate()
    try:
        await asyncio.wait_for(started.wait(), 20)
    except TimeoutError:
        started.kill()
        await started.wait()


# --- the engine -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def engine(folder: Path, say: Say = quiet) -> AsyncIterator[str]:
    """Give the address of a Docker-compatible engine: one that runs here already, else one of our own."""
    there = await asyncio.to_thread(_find_engine)
    if there:
        say(f"Using the engine at {there}")
        yield there
        return
    if not shutil.which("dockerd"):
        try:
            await install("docker.io", "iptables", say=say)
        except MachineError as error:
            raise MachineError(f"A Docker engine is needed. Start yours, or set DOCKER_HOST.\n{error}") from None
    say("Starting a Docker engine of our own")
    async with _own_engine(_make(folder)) as host:
        yield host


def _find_engine() -> str | None:
    said = os.environ.get("DOCKER_HOST", "")
    if said:
        return said
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")
    for path in ("/var/run/docker.sock", "/run/podman/podman.sock", f"{runtime}/podman/podman.sock"):
        if answers(path):
            return f"unix://{path}"
    return None


class _Unix(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=3)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(3)
        self.sock.connect(self._path)


def answers(path: str) -> bool:
    """Whether an engine really answers at a socket."""
    connection = _Unix(path)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


@asynccontextmanager
async def _own_engine(folder: Path) -> AsyncIterator[str]:
    await asyncio.to_thread(_take, folder)
    # Names of sockets are short on Linux, wherever the demo runs.
    run = Path(tempfile.mkdtemp(prefix="pb-engine-"))
    run_socket = run / "docker.sock"
    (folder / "run").symlink_to(run)
    try:
        with _bridge(folder) as number:
            command = (
                "dockerd", "--data-root", str(folder / "data"), "--exec-root", str(run / "exec"),
                "-H", f"unix://{run_socket}", "--pidfile", str(run / "pid"), "--bridge", f"pb{number}br",
                "--default-address-pool", f"base=10.{number}.128.0/17,size=27", "--log-level", "warn",
            )  # fmt: skip
            async with process(folder, "dockerd", *command) as started:
                await _wait_for(lambda: answers(str(run_socket)), started, folder / "dockerd.log")
                yield f"unix://{run_socket}"
    finally:
        await asyncio.to_thread(_remove, run, folder)


def _take(folder: Path) -> None:
    """Have a folder to ourselves, after cleaning up what a killed run left there."""
    owner = folder / "owner.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(owner.read_text())
        if found["born"] and _born(int(found["pid"])) == found["born"]:
            raise MachineError(f"Process {found['pid']} has an engine in {folder} already. Wait for it, or end it.")
    clean(folder)
    _make(folder)
    owner.write_text(json.dumps({"pid": os.getpid(), "born": _born(os.getpid())}))


async def _wait_for(ready: Callable[[], bool], started: asyncio.subprocess.Process, log: Path) -> None:
    for _ in range(int(_PATIENCE * 10)):
        if await asyncio.to_thread(ready):
            return
        if started.returncode is not None:
            break
        await asyncio.sleep(0.1)
    said = (await asyncio.to_thread(log.read_bytes)).decode("utf-8", "replace")[-1500:]
    raise MachineError(f"The Docker engine does not come up. Start one yourself and set DOCKER_HOST. It said:\n{said}")


@contextlib.contextmanager
def _bridge(folder: Path) -> Iterator[int]:
    """A network bridge of our own, so that no other engine's is touched; gives its number."""
    number = _claim()
    note = folder / "network"
    note.write_text(str(number))
    try:
        _ip("addr", "add", f"10.{number}.0.1/24", "dev", f"pb{number}br")
        _ip("link", "set", f"pb{number}br", "up")
        yield number
    finally:
        _unbridge(number)
        note.unlink(missing_ok=True)


def _claim() -> int:
    """Make a bridge on a network that nothing here has an address or a route in, and that nobody else just took."""
    taken = " ".join((_shown("addr") + _shown("route", "show", "table", "all")).split())
    for number in (each for each in _BRIDGES if f" 10.{each}." not in f" {taken}"):
        with contextlib.suppress(MachineError):
            _ip("link", "add", "name", f"pb{number}br", "type", "bridge")
            return number
    raise MachineError("No network for an engine can be made: it needs root. Start one yourself and set DOCKER_HOST.")


def _unbridge(number: int) -> None:
    """Take away a bridge, those that its engine left, and their rules in the firewall."""
    lines = (line.split() for line in _shown("addr").splitlines())
    left = {words[1] for words in lines if words[3].startswith(f"10.{number}.")} | {f"pb{number}br"}
    for table in ("filter", "nat"):
        asked = ("iptables", "-w", "-t", table)
        for rule in _run(*asked, "-S").stdout.splitlines():
            words = rule.split()
            if words[0] == "-A" and any(word in left or word.startswith(f"10.{number}.") for word in words):
                _run(*asked, "-D", *words[1:])
    for each in left:
        _run("ip", "link", "del", each)


def _shown(*what: str) -> str:
    return _run("ip", "-4", "-o", *what).stdout


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, check=False, text=True)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")


def _ip(*arguments: str) -> None:
    done = _run("ip", *arguments)
    if done.returncode:
        raise MachineError(f"No network for an engine can be made (ip {' '.join(arguments)}: {done.stderr.strip()}).")


def _remove(*folders: Path) -> None:
    """Delete folders of an engine that has ended, with whatever it left mounted there."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if any(each.startswith(f"{own}/") for own in folders)), reverse=True):
        subprocess.run(("umount", "-l", mount), capture_output=True, check=False)
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)


# --- Caddy ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def caddy(folder: Path, say: Say = quiet) -> AsyncIterator[str]:
    """Give the address of the admin API of a Caddy of our own."""
    if not shutil.which("caddy"):
        await install("caddy", say=say)
    say("Starting Caddy")
    folder = _make(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {"admin": {"listen": f"127.0.0.1:{port}", "config": {"persist": False}}}
    (folder / "caddy.json").write_text(json.dumps(config))
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    async with process(folder, "caddy", "caddy", "run", "--config", str(folder / "caddy.json"), **homes) as started:
        for _ in range(200):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            if started.returncode is not None:
                raise MachineError(f"Caddy does not come up; see {folder / 'caddy.log'}")
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"


# --- what a killed run left -----------------------------------------------------------------------------------------


def clean(folder: Path) -> None:
    """End every process that a note below a folder names, if it still is that process, and delete the folder.

    Notes stand at most one folder deep: what an image holds deeper down is never read.
    """
    folder = folder.absolute()
    for note in _notes(folder, "*.pid"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(note.read_text())
            _finish(int(found["pid"]), found["born"])
    for note in _notes(folder, "network"):
        with contextlib.suppress(OSError, ValueError):
            _unbridge(int(note.read_text()))
    runs = [each.resolve() for each in _notes(folder, "run") if each.is_symlink()]
    _remove(*(each for each in runs if each.name.startswith("pb-engine-")), folder)


def _notes(folder: Path, name: str) -> Iterator[Path]:
    yield from folder.glob(name)
    yield from folder.glob(f"*/{name}")


def _finish(pid: int, born: str) -> None:
    """SIGTERM, then SIGKILL, a process that is no child of ours."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not born or _born(pid) != born:
            return
        os.kill(pid, number)
        for _ in range(200):
            if _born(pid) != born:
                return
            time.sleep(0.1)


def _born(pid: int) -> str:
    """When a process started, which tells it from a later one of the same number; empty where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[19]}"


if __name__ == "__main__":
    clean(Path(sys.argv[1]))
