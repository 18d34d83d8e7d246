"""The last lines that a program said, as people can read them: no colours, no control characters.

They are as long as they were said: whoever cuts them has to hide what is secret in them first.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(said: bytes, lines: int) -> tuple[str, ...]:
    """Cut output into its last lines; of a line that was written over, what stood there last."""
    text = said.decode("utf-8", "replace").rstrip("\n")
    return tuple(_plain(line) for line in text.split("\n")[-lines:]) if text else ()


async def whole(read: Callable[[int], Awaitable[bytes]], lines: int, *, limit: int) -> bytes:
    """Read last lines from where only the first ``limit`` bytes of them come: fewer, so that the end is there."""
    said = await read(lines)
    while len(said) >= limit and lines > 1:
        lines = max(1, lines // 4)
        said = await read(lines)
    return said


def _plain(line: str) -> str:
    shown = _ESCAPES.sub("", line.rstrip("\r")).rpartition("\r")[2]
    return _CONTROLS.sub("", shown)
