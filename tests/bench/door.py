"""The door: signed deliveries, each durable before its 202, against Probot, which acknowledges in memory.

Run ``python -m tests.bench.door [--seconds N] [--rounds N] [--json]``. Both servers run as processes of their own and
take turns, round by round, so that what else the machine does hits both; one generator (``tests.bench.load``) drives
both with the same 21 KB ``pull_request`` deliveries. previewbot is whole: every route, the store on disk with
``synchronous=FULL``, a log line for each delivery. Probot has one handler that does nothing, and logs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from previewbot.adapters.local import LogFiles, SystemClock
from previewbot.adapters.store import open_store
from previewbot.app import run
from previewbot.telemetry import Metrics, configure
from previewbot.web.app import Site
from previewbot.web.pages import Pages
from previewbot.web.server import Server
from previewbot.web.webhook import Door
from tests.bench.load import SECRET, Request, pace, requests, saturate

RATE = 200
"""Deliveries a second where answers are timed in calm."""
_HERE = Path(__file__).parent


# --- the two servers ------------------------------------------------------------------------------------------------


async def serve(port: int, folder: Path) -> None:
    """Run the real door and pages on a real store, as ``previewbot serve`` does."""
    configure(format="json", level="info")
    metrics = Metrics()

    async def nothing() -> None:
        return None

    async with open_store(f"sqlite:///{folder / 'previewbot.db'}") as store:
        door = Door(store, SystemClock(), (SECRET,), metrics)
        pages = Pages(store, LogFiles(folder), SystemClock(), lambda _: None)
        await Server(Site(door, pages, metrics, nothing, nothing), host="127.0.0.1", port=port).serve()


def peer() -> Path:
    """Install Probot once into the user's cache."""
    lock = (_HERE / "probot" / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "previewbot"
    place = cache / f"probot-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not place.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            shutil.copytree(_HERE / "probot", made, dirs_exist_ok=True)
            command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
            subprocess.run(command, cwd=made, check=True)
            shutil.copytree(made, place)
    shutil.copy(_HERE / "probot" / "peer.mjs", place)
    return place


def peer_settings(port: int) -> dict[str, str]:
    """What Probot reads from its environment."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return {**os.environ, "PEER_KEY": key.decode(), "PEER_SECRET": SECRET.decode(), "PEER_PORT": str(port)}


def free_port() -> int:
    """A port of the loopback that is free."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@dataclass(slots=True)
class Contestant:
    """A server under measurement, and its figures so far."""

    port: int
    process: asyncio.subprocess.Process
    at_rest: float = 0.0
    rates: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)

    def resident(self) -> float:
        """Megabytes of memory that it holds."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the server is gone")

    async def work(self, stream: Iterator[Request], seconds: float) -> None:
        """Measure one round."""
        full = await saturate(self.port, stream, seconds)
        self.rates.append(len(full.took) / full.length)
        self.busy += full.took
        self.calm += (await pace(self.port, stream, seconds, RATE)).took

    def figures(self) -> dict[str, float]:
        """Everything that was measured."""
        return {
            "rate_per_s": statistics.median(self.rates),
            "p50_ms": statistics.median(self.busy) * 1000,
            "p99_ms": _p99(self.busy) * 1000,
            f"p50_ms_at_{RATE}_per_s": statistics.median(self.calm) * 1000,
            f"p99_ms_at_{RATE}_per_s": _p99(self.calm) * 1000,
            "memory_at_rest_mb": self.at_rest,
            "memory_after_mb": self.resident(),
        }


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]


@asynccontextmanager
async def running(command: tuple[str, ...], port: int, **more: object) -> AsyncIterator[Contestant]:
    """Run a server for as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL, **more)  # type: ignore[arg-type]
    server = Contestant(port, process)
    try:
        await _answering(server)
        await asyncio.sleep(1)
        server.at_rest = server.resident()
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answering(server: Contestant) -> None:
    for _ in range(300):
        if server.process.returncode is not None:
            raise RuntimeError(f"the server ended with code {server.process.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError("the server does not answer")


# --- the run --------------------------------------------------------------------------------------------------------


def flushes(folder: Path, count: int = 200) -> float:
    """What the disk alone takes to make 4 KB durable: the 99th percentile, in seconds."""
    took = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return _p99(took)


async def main(options: argparse.Namespace) -> None:
    """Measure both and print the figures."""
    stream = requests()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="previewbot-bench-"))
        disk = flushes(Path(folder))
        port = free_port()
        command = (sys.executable, "-m", "tests.bench.door", "--serve", str(port), "--folder", folder)
        mine = await stack.enter_async_context(running(command, port))
        port = free_port()
        more = {"cwd": peer(), "env": peer_settings(port)}
        theirs = await stack.enter_async_context(running(("node", "peer.mjs"), port, **more))
        for server in (mine, theirs):
            await saturate(server.port, stream, 1)  # to warm up
        for turn in range(options.rounds):
            for server in (mine, theirs) if turn % 2 == 0 else (theirs, mine):
                await server.work(stream, options.seconds)
        report({"previewbot": mine.figures(), "probot": theirs.figures()}, disk, as_json=options.json)


def report(figures: dict[str, dict[str, float]], disk: float, *, as_json: bool) -> None:
    """Print what was measured."""
    if as_json:
        print(json.dumps({**figures, "disk_flush_p99_ms": disk * 1000}))
        return
    print(f"{'':<22}{'previewbot':>12}{'probot':>12}{'ratio':>8}")
    for name, value in figures["previewbot"].items():
        other = figures["probot"][name]
        print(f"{name:<22}{value:>12.1f}{other:>12.1f}{value / other:>8.2f}")
    print(f"A flush of this disk takes {disk * 1000:.1f} ms at the 99th percentile.")


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="how long each measurement of a round takes")
    parser.add_argument("--rounds", type=int, default=4, help="how often both take their turn")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    run(serve(given.serve, given.folder) if given.serve else main(given))
