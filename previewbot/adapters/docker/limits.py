"""What one container may use at most: set by the operator, never by a commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of each container."""

    memory: int = 512 * MIB
    """Bytes, swap included."""
    cpus: float = 1.0
    pids: int = 256
    log: int = 10 * MIB
    """Bytes of output that the engine keeps, in two files."""
    stop: timedelta = timedelta(seconds=5)
    """How long a program may take to end by itself."""
    runtime: str | None = None
    """The engine's OCI runtime, such as ``runsc``; ``None`` is its default."""
