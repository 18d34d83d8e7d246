"""The one thing that a Dockerfile tells beside how to build it: the port that its last stage exposes."""

from __future__ import annotations

import re


def exposed_port(raw: bytes) -> int | None:
    """Find the first TCP port that the last stage exposes; ``None`` where it exposes none, or by a variable."""
    found: int | None = None
    for line in raw.decode("utf-8", "replace").splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if words[0].upper() == "FROM":
            found = None
        elif words[0].upper() == "EXPOSE" and found is None:
            found = next((port for word in words[1:] if (port := _port(word))), None)
    return found


def _port(word: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,5})(/tcp)?", word, re.ASCII | re.IGNORECASE)
    port = int(match[1]) if match else 0
    return port if 0 < port < 2**16 else None
