"""How a blueprint's flaws speak: of places, of values, and of what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from previewbot.wire.yaml_source import Path

_LONGEST_NAME = 40
_MOST_NAMES = 12
_NOUNS = {"services": "service", "resources": "resource", "environments": "environment"}


def show(name: object) -> str:
    """A name as it may stand between backticks in a sentence: one line, not long."""
    text = "".join(each if each.isprintable() else " " for each in str(name)).replace("`", "'")
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def subject(path: Path) -> str:
    """What a sentence about this path begins with."""
    if not path:
        return "the file"
    last = path[-1]
    return (f"entry {last + 1}" if isinstance(last, int) else f"`{show(last)}`") + where(path[:-1])


def where(path: Path) -> str:
    """The place of a key in words, from inside to outside; nothing at the top."""
    thing, rest = thing_and_rest(path)
    inside = f" in `{'.'.join(map(show, rest))}`" if rest else ""
    if not thing:
        return inside
    return f"{inside} of {thing}" if inside else f" in {thing}"


def thing_and_rest(path: Path) -> tuple[str, Path]:
    """The service, resource or environment that a path leads into, and the rest of the path."""
    thing = ""
    while len(path) > 1 and (noun := _NOUNS.get(str(path[0]))):
        thing = f"{noun} `{show(path[1])}`" + (f" of {thing}" if thing else "")
        path = path[2:]
    return thing, path


def describe(value: object) -> str:
    """A value by what it is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text `{show(value)}`"
        case list():
            return "a list"
        case _:
            return "keys and values"


def closest(written: object, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    lower = str(written)[:_LONGEST_NAME].lower()
    names = list(known)
    for spelling in (lower, lower.replace("-", "_"), lower.upper()):
        if found := difflib.get_close_matches(spelling, names, n=1, cutoff=0.6):
            return found[0]
    return None


def suggest(written: object, known: Iterable[str], otherwise: str = "") -> str:
    """What may have been meant, else ``otherwise``, else all that is known."""
    names = list(known)
    if close := closest(written, names):
        return f"did you mean `{show(close)}`?"
    return otherwise or f"known here: {', '.join(map(show, names[:_MOST_NAMES]))}"
