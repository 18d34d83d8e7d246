"""What the demo and the tests need of the machine: an engine, Caddy, packages. Found where it is there, else installed.

Whatever is started here is a process of our own with folders of its own; it is ended by its id and leaves nothing.
Its id stands in a file until then, so that what a killed run left is found (``leftovers``).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from previewbot.demo import leftovers

Say = Callable[[str], None]

ENGINE = ("docker.io", "iptables", "iproute2")
"""The packages of an engine."""

_PATIENCE = 60.0
"""Seconds that an engine may take to come up."""

_EVERY = 3.0
"""Seconds between two words on what takes long."""

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
    # Lists that cannot be renewed may still be good enough; where they are not, installing says so.
    await _apt("update", "-q", say=say)
    failed = await _apt("install", "-y", "-q", "--no-install-recommends", *missing, say=say)
    if failed is not None:
        raise MachineError(f"apt-get install failed:\n{failed}\n{by_hand}")


async def _apt(*arguments: str, say: Say) -> str | None:
    """Run apt-get, and say every few seconds where it is; returns its last words where it failed."""
    process = await asyncio.create_subprocess_exec(
        "apt-get", *arguments, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout  # noqa: S101 - it was asked for
    last, said = deque[str](maxlen=12), time.monotonic()
    async for raw in process.stdout:
        line = raw.decode("utf-8", "replace").rstrip()
        last.append(line)
        if line.startswith(("Get:", "Unpacking ", "Setting up ")) and time.monotonic() - said > _EVERY:
            said = time.monotonic()
            say(f"  {line[:90]}")
    return "\n".join(last) if await process.wait() else None


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
    leftovers.note(note, started.pid)
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
            await install(*ENGINE, say=say)
        except MachineError as error:
            raise MachineError(f"A Docker engine is needed. Start yours, or set DOCKER_HOST.\n{error}") from None
        if there := await asyncio.to_thread(_find_engine):  # where systemd runs, the package started one
            say(f"Using the engine at {there}")
            yield there
            return
    if not shutil.which("ip"):
        await install("iproute2", say=say)
    say("Starting a Docker engine of our own")
    async with _own_engine(_make(folder), say) as host:
        yield host


def _find_engine() -> str | None:
    said = os.environ.get("DOCKER_HOST", "")
    if said:
        if not _answers_at(said):
            raise MachineError(f"No engine answers at {said}, which DOCKER_HOST says. Start it, or unset DOCKER_HOST.")
        return said
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")
    for path in ("/var/run/docker.sock", "/run/podman/podman.sock", f"{runtime}/podman/podman.sock"):
        if answers(path):
            return f"unix://{path}"
    return None


def answers(path: str) -> bool:
    """Whether an engine really answers at a socket."""
    return _answers_at(f"unix://{path}")


def _answers_at(engine: str) -> bool:
    try:
        asked = leftovers.connection(engine, 3)
    except ValueError:
        return True  # such as ssh://: whoever calls it will see
    with contextlib.closing(asked):
        try:
            asked.request("GET", "/_ping")
            # Over TCP, one that wants TLS says so with another status.
            return asked.getresponse().status == http.client.OK or not engine.startswith("unix:")
        except (OSError, http.client.HTTPException):
            return False


@asynccontextmanager
async def _own_engine(folder: Path, say: Say = quiet) -> AsyncIterator[str]:
    try:
        await asyncio.to_thread(leftovers.take, folder)
    except leftovers.TakenError as error:
        raise MachineError(str(error)) from None
    # Names of sockets are short on Linux, wherever the demo runs.
    run = Path(tempfile.mkdtemp(prefix=leftovers.RUN_PREFIX))
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
                await _wait_for(run_socket, started, folder / "dockerd.log", say)
                yield f"unix://{run_socket}"
    finally:
        await asyncio.to_thread(leftovers.remove, run, folder)


async def _wait_for(engine: Path, started: asyncio.subprocess.Process, log: Path, say: Say) -> None:
    for turn in range(int(_PATIENCE * 10)):
        if await asyncio.to_thread(answers, str(engine)):
            return
        if started.returncode is not None:
            break
        await asyncio.sleep(0.1)
        if turn % 50 == 49:  # noqa: PLR2004 - every five seconds
            say("  it is still starting")
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
        leftovers.unbridge(number)
        note.unlink(missing_ok=True)


def _claim() -> int:
    """Make a bridge on a network that nothing here has an address or a route in, and that nobody else just took."""
    taken = " ".join((_shown("addr") + _shown("route", "show", "table", "all")).split())
    for number in (each for each in _BRIDGES if f" 10.{each}." not in f" {taken}"):
        with contextlib.suppress(MachineError):
            _ip("link", "add", "name", f"pb{number}br", "type", "bridge")
            return number
    raise MachineError("No network for an engine can be made: it needs root. Start one yourself and set DOCKER_HOST.")


def _shown(*what: str) -> str:
    return leftovers.run("ip", "-4", "-o", *what).stdout


def _ip(*arguments: str) -> None:
    done = leftovers.run("ip", *arguments)
    if done.returncode:
        raise MachineError(f"No network for an engine can be made (ip {' '.join(arguments)}: {done.stderr.strip()}).")


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
        await _wait_for_port(port, started, folder / "caddy.log")
        yield f"http://127.0.0.1:{port}"


async def _wait_for_port(port: int, started: asyncio.subprocess.Process, log: Path) -> None:
    for _ in range(400):
        if started.returncode is not None:
            break
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    said = (await asyncio.to_thread(log.read_bytes)).decode("utf-8", "replace")[-1500:]
    raise MachineError(f"Caddy does not come up. It said:\n{said}")
