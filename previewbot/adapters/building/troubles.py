"""Words of errors that every builder reads alike, and how long ones are shortened. Pure."""

from __future__ import annotations

import re

_WORDS = 400

UNWELL = re.compile(
    r"\b(?:429|500|502|503|504)\b|too ?many ?requests|time-?out|deadline exceeded|\bEOF\b|no such host"
    r"|server misbehaving|connection (?:refused|reset)|broken pipe|network is unreachable|no route to host|temporar"
    # A layer that it had when asked, and has not any more; or two pushed one at once: the next push brings it.
    r"|blob unknown|digest did not match uploaded content",
    re.IGNORECASE,
)
"""What a registry, or the way to it, says while something is wrong that passes by itself."""


def short(words: str) -> str:
    """Keep both ends of a long error on one line: what was done, and what came of it."""
    line = " ".join(words.split())
    return line if len(line) <= _WORDS else f"{line[: _WORDS // 2]} … {line[-_WORDS // 2 :]}"
