"""The door: signed deliveries, each durable before its 202, against Probot, which acknowledges in memory.

Run ``python -m tests.bench.door [--seconds N] [--json]``. Both servers run one after the other on the same machine,
each as a process of its own, driven by the same generator: 21 KB ``pull_request`` deliveries, signed beforehand, each
with its own delivery id, over 32 connections that stay open.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.routing import Route

from previewbot.adapters.local import SystemClock
from previewbot.adapters.store import open_store
from previewbot.app import run
from previewbot.demo.stage import free_port
from previewbot.telemetry import Metrics, configure
from previewbot.web.webhook import Door

SECRET = b"bench secret"
SIZE = 21 * 1024
CONNECTIONS = 32
_HERE = Path(__file__).parent


# --- the two servers ------------------------------------------------------------------------------------------------


async def serve(port: int, folder: Path) -> None:
    """Run the real door on a real store, as ``previewbot serve`` does."""
    configure(format="json", level="warning")
    url = f"sqlite+aiosqlite:///{folder / 'previewbot.db'}"
    async with open_store(url) as store:
        door = Door(store, SystemClock(), (SECRET,), Metrics())
        app = Starlette(routes=[Route("/webhook", door.receive, methods=["POST"])])
        config = uvicorn.Config(app, port=port, access_log=False, log_config=None, server_header=False)
        await uvicorn.Server(config).serve()


def peer() -> Path:
    """Install Probot once into the user's cache."""
    lock = (_HERE / "probot" / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "previewbot"
    place = cache / f"probot-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not place.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            shutil.copytree(_HERE / "probot", made, dirs_exist_ok=True)
            subprocess.run(
                ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"), cwd=made, check=True
            )
            shutil.copytree(made, place)
    shutil.copy(_HERE / "probot" / "peer.mjs", place)
    return place


@asynccontextmanager
async def running(command: list[str], port: int, **more: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a server for as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(*command, **more)  # type: ignore[arg-type]
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        yield process
    finally:
        process.terminate()
        await process.wait()


def resident(process: asyncio.subprocess.Process) -> float:
    """Megabytes of memory that a process holds."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


# --- the generator --------------------------------------------------------------------------------------------------


def requests() -> Iterator[bytes]:
    """Whole requests, ready to send, without end."""
    padding = "x" * (SIZE - 200)
    for number in range(1, 10**9):
        payload = {"action": "synchronize", "number": number % 50 + 1, "repository": {"id": 7}, "padding": padding}
        body = json.dumps(payload).encode()
        signature = hmac.digest(SECRET, body, "sha256").hex()
        head = (
            "POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"User-Agent: GitHub-Hookshot/bench\r\nX-GitHub-Delivery: {uuid.uuid4()}\r\n"
            "X-GitHub-Event: pull_request\r\n"
            f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    """Send one request and read its answer; returns seconds, and fails on anything but a success."""
    began = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    took = time.perf_counter() - began
    if not head.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")):
        raise RuntimeError(head.decode("latin-1"))
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return took


async def saturate(port: int, ready: list[bytes]) -> tuple[float, list[float]]:
    """Send everything as fast as it goes; returns the rate and each one's seconds."""
    took: list[float] = []
    rest = iter(ready)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in rest:
            took.append(await send(reader, writer, request))  # noqa: PERF401 - one after the other
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return len(ready) / (time.perf_counter() - began), took


async def steady(port: int, ready: list[bytes], rate: int) -> list[float]:
    """Send at a fixed rate; returns each one's seconds."""
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    free = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
    for each in connections:
        free.put_nowait(each)
    took: list[float] = []

    async def one(request: bytes) -> None:
        connection = await free.get()
        took.append(await send(*connection, request))
        free.put_nowait(connection)

    began, tasks = time.perf_counter(), []
    for number, request in enumerate(ready):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(request)))
    await asyncio.gather(*tasks)
    for _, writer in connections:
        writer.close()
    return took


async def measure(process: asyncio.subprocess.Process, port: int, count: int) -> dict[str, float]:
    """All figures of one server."""
    rest = resident(process)
    made = requests()
    await saturate(port, [next(made) for _ in range(500)])
    rate, took = await saturate(port, [next(made) for _ in range(count)])
    calm = await steady(port, [next(made) for _ in range(1000)], 200)
    return {
        "rate_per_s": rate,
        "p50_ms": statistics.median(took) * 1000,
        "p99_ms": statistics.quantiles(took, n=100)[98] * 1000,
        "p99_ms_at_200_per_s": statistics.quantiles(calm, n=100)[98] * 1000,
        "memory_at_rest_mb": rest,
        "memory_after_mb": resident(process),
    }


async def main(options: argparse.Namespace) -> None:
    """Measure both and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port(0)
        command = [sys.executable, "-m", "tests.bench.door", "--serve", str(port), "--folder", folder]
        async with running(command, port) as process:
            mine = await measure(process, port, options.count)
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    port = free_port(0)
    peered = os.environ | {"PEER_KEY": key.decode(), "PEER_SECRET": SECRET.decode(), "PEER_PORT": str(port)}
    async with running(["node", "peer.mjs"], port, cwd=peer(), env=peered) as process:
        theirs = await measure(process, port, options.count)
    if options.json:
        print(json.dumps({"previewbot": mine, "probot": theirs}))
        return
    print(f"{'':<22}{'previewbot':>12}{'probot':>12}{'ratio':>8}")
    for name, value in mine.items():
        print(f"{name:<22}{value:>12.1f}{theirs[name]:>12.1f}{value / theirs[name]:>8.2f}")


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8000, help="deliveries at saturation")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    run(serve(given.serve, given.folder) if given.serve else main(given))
