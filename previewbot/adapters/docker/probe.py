"""One look at whether a program answers, from outside its container. It never decides what follows from that.

The engine's own proxy accepts connections on a published port even while nobody listens behind it, and closes them as
soon as it finds out. So there an accepted connection counts only if it stays open for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from previewbot.adapters.docker.facts import Address

_BAD = 400
_STATUS_PARTS = 2


@dataclass(frozen=True, slots=True)
class Door:
    """Where a program should answer: ``address`` stands for ``port`` in its container."""

    port: int
    address: Address
    host: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that each part of a look may take; a machine that is busy itself needs more, or finds fault with all."""

    connect: float = 1.0
    answer: float = 5.0
    stays_open: float = 0.25
    """How soon the proxy hangs up where nobody listens behind it."""


_USUAL = Patience()


async def knock(door: Door, patience: Patience = _USUAL) -> str | None:
    """Say in a few words what is wrong, or ``None`` where the program answers as it should."""
    return await (_get(door, door.path, patience) if door.path else _open(door, patience))


async def _open(door: Door, patience: Patience) -> str | None:
    silent = f"does not listen on port {door.port}"
    connection = await _connect(door.address, patience.connect)
    if connection is None:
        return silent
    reader, writer = connection
    if not door.address.is_published:
        writer.close()
        return None
    try:
        async with asyncio.timeout(patience.stays_open):
            return None if await reader.read(1) else silent
    except TimeoutError:
        return None
    except OSError:
        return silent
    finally:
        writer.close()


async def _connect(address: Address, seconds: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    with contextlib.suppress(OSError, TimeoutError):
        # `wait_for` would lose what was opened in the moment in which nobody waits for it any more.
        async with asyncio.timeout(seconds):
            return await asyncio.open_connection(address.host, address.port, limit=4096)
    return None


async def _get(door: Door, path: str, patience: Patience) -> str | None:
    connection = await _connect(door.address, patience.connect)
    if connection is None:
        return f"does not listen on port {door.port}"
    reader, writer = connection
    try:
        async with asyncio.timeout(patience.answer):
            writer.write(_request(path, door.host or "localhost"))
            return _judge(await reader.readline(), door, path)
    except TimeoutError:
        return f"does not answer at {path}"
    except ValueError:
        return f"does not speak HTTP on port {door.port}"
    except OSError:
        return f"does not listen on port {door.port}"
    finally:
        writer.close()


def _request(path: str, host: str) -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: previewbot\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    return head.encode("ascii", "replace")


def _judge(line: bytes, door: Door, path: str) -> str | None:
    if not line:
        return f"does not listen on port {door.port}"
    parts = line.split()
    if not line.startswith(b"HTTP/") or len(parts) < _STATUS_PARTS or not parts[1].isdigit():
        return f"does not speak HTTP on port {door.port}"
    return None if int(parts[1]) < _BAD else f"answers {int(parts[1])} at {path}"
