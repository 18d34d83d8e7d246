"""Logs of builds, read while they grow: in whole lines, a bounded part at a time, cleaned for people. Never written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_CHUNK = 64 * 1024
_MOST = 1024**2
"""Bytes of a log that a page shows, or an event carries."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a log, and where in the file it begins and ends, in bytes."""

    text: str
    start: int
    end: int


def read_from(file: Path, position: int, *, whole_lines: bool) -> Part:
    """Read what was added to a log since a position; a line, or a letter, that is not finished is left for later."""
    try:
        with file.open("rb") as opened:
            opened.seek(position)
            added = opened.read(_MOST)
    except FileNotFoundError:
        added = b""
    is_full = len(added) == _MOST
    if (whole_lines or is_full) and (b"\n" in added or not is_full):
        added = added[: added.rfind(b"\n") + 1]
    return Part(added.decode("utf-8", "replace"), position, position + len(added))


def end_of(file: Path, *, whole_lines: bool) -> Part:
    """Read the end of a log, where the reason is; a longer one from the beginning of a line."""
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return Part("", 0, 0)
    part = read_from(file, max(0, size - _MOST), whole_lines=whole_lines)
    if part.start == 0:
        return part
    return Part(part.text.partition("\n")[2] or part.text, part.start, part.end)


def clean(text: str) -> str:
    """Leave out colours and what else is no text."""
    return _ANSI.sub("", text)


async def chunks(file: Path) -> AsyncIterator[bytes]:
    """Read a log whole, as it is; one that is gone is empty."""
    try:
        opened = await asyncio.to_thread(file.open, "rb")
    except FileNotFoundError:
        return
    with opened:
        while part := await asyncio.to_thread(opened.read, _CHUNK):
            yield part
