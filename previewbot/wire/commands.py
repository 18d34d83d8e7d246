"""What the first line of a comment asks for. Exact grammar: a command alone, or it is none."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from previewbot.core.model import Command

TABLE: tuple[tuple[str, str], ...] = (
    ("redeploy", "builds the newest commit again from scratch, without any cache, and restarts everything"),
    ("run JOB", "runs a job of the release that serves, or a cron service at once"),
    ("help", "shows this"),
)
"""Every command and what it does: the comment, the answers and the documentation are made from this."""

_KNOWN = {name.partition(" ")[0]: Command(name.partition(" ")[0]) for name, _ in TABLE}
_ARGUED = (Command.RUN,)
"""Those that are about something, which stands behind them."""
_LONGEST = 40
"""A word longer than this is nobody's typing error."""


@dataclass(frozen=True, slots=True)
class Said:
    """A command, and what it is about."""

    command: Command
    argument: str = ""


def read(body: str) -> Said | None:
    """Read the first line of a comment: a command, something meant as one (``UNKNOWN``), or ``None``.

    A command is alone, or with the one word that it is about. Near misses such as ``/re-deploy``, and anything after
    ``/previewbot``, are answered; other words, among them other bots' commands, are left alone.
    """
    first = body.split("\n", 1)[0].strip()
    word, _, rest = first.partition(" ")
    if not word.startswith("/") or len(word) > _LONGEST:
        return None
    name, words = word[1:], rest.split()
    if name in _KNOWN:
        command = _KNOWN[name]
        if len(words) != (command in _ARGUED) or any(len(each) > _LONGEST for each in words):
            return Said(Command.UNKNOWN)
        return Said(command, *words)
    return Said(Command.UNKNOWN) if _is_near(name) else None


_NEAR = 0.9
"""How much alike a word and a command are that was mistyped: ``/redploy`` is, other bots' ``/deploy`` is not."""


def _is_near(name: str) -> bool:
    plain = name.lower().replace("-", "").replace("_", "")
    return plain == "previewbot" or bool(difflib.get_close_matches(plain, _KNOWN, n=1, cutoff=_NEAR))
