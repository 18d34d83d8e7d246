"""What the first line of a comment asks for. Exact grammar: a command alone, or it is none."""

from __future__ import annotations

import difflib

from previewbot.core.model import Command

TABLE: tuple[tuple[str, str], ...] = (
    ("redeploy", "builds the newest commit again from scratch, without any cache, and restarts everything"),
    ("help", "shows this"),
)
"""Every command and what it does: the comment, the answers and the documentation are made from this."""

_KNOWN = {name: Command(name) for name, _ in TABLE}
_LONGEST = 40
"""A word longer than this is nobody's typing error."""


def read(body: str) -> Command | None:
    """Read the first line of a comment: a command, something meant as one (``UNKNOWN``), or ``None``.

    A command has no arguments. Near misses such as ``/re-deploy`` and anything after ``/previewbot`` are answered;
    other words, among them other bots' commands, are left alone.
    """
    first = body.split("\n", 1)[0].strip()
    word, _, rest = first.partition(" ")
    if not word.startswith("/") or len(word) > _LONGEST:
        return None
    name = word[1:]
    if name in _KNOWN:
        return Command.UNKNOWN if rest.strip() else _KNOWN[name]
    return Command.UNKNOWN if _is_near(name) else None


def _is_near(name: str) -> bool:
    plain = name.lower().replace("-", "").replace("_", "")
    return plain == "previewbot" or bool(difflib.get_close_matches(plain, _KNOWN, n=1, cutoff=0.8))
