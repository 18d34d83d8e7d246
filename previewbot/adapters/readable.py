"""The last lines that a program said, as people can read them: no colours, no control characters, nothing endless."""

from __future__ import annotations

import re

_LINE_LIMIT = 500
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(said: bytes, lines: int) -> tuple[str, ...]:
    """Cut output into its last lines; of a line that was written over, what stood there last."""
    text = said.decode("utf-8", "replace").rstrip("\n")
    return tuple(_plain(line) for line in text.split("\n")[-lines:]) if text else ()


def _plain(line: str) -> str:
    shown = _ESCAPES.sub("", line.rstrip("\r")).rpartition("\r")[2]
    return _CONTROLS.sub("", shown)[:_LINE_LIMIT]
