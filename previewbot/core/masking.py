"""Hiding secret values in what people are shown: as they are, and in the forms in which programs print them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "•••"
SHORTEST = 4
"""Values of fewer characters are not hidden: they would be found everywhere, and hide what matters."""


_LINE_LIMIT = 1000
"""Characters of a line that are worth showing."""


class Mask:
    """Hides some values. Text may come in pieces: what could be the beginning of a value is held back."""

    def __init__(self, values: Collection[str]) -> None:
        forms = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
        # The longest first, so that no value is taken for a shorter one that it begins with.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._longest = len(ordered[0]) if ordered else 0
        self._held = ""

    def hide(self, text: str) -> str:
        """Hide every value in a whole text."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def lines(self, said: Iterable[str]) -> list[str]:
        """Hide every value in whole lines, and cut those that are endless only then: half a value would be left."""
        return [self.hide(each)[:_LINE_LIMIT] for each in said]

    def feed(self, text: str) -> str:
        """Take the next piece of a text, and give as much of it as can be shown already."""
        whole = self._held + text
        if self._pattern is None:
            return whole
        keep = max(0, len(whole) - self._longest + 1)
        for found in self._pattern.finditer(whole):
            if found.start() < keep < found.end():
                keep = found.end()
        self._held = whole[keep:]
        return self.hide(whole[:keep])

    def finish(self) -> str:
        """Give the rest."""
        rest, self._held = self._held, ""
        return self.hide(rest)


def _forms(value: str) -> Iterator[str]:
    yield value
    # A log shows a value of several lines one by one.
    yield from (line for line in value.splitlines() if len(line) >= SHORTEST)
    yield from (quote(value, safe=""), quote(value), quote_plus(value))
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]
    yield from _in_base64(value.encode("utf-8", "surrogatepass"))


def _in_base64(raw: bytes) -> Iterator[str]:
    """The characters of base64 that a value decides alone, wherever in a longer text it begins.

    Six bits a character: before the value may stand 0, 1 or 2 bytes modulo 3, and its last character may hold bits
    of what follows.
    """
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode("ascii")
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        inner = encoded[first:last]
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.translate({ord("+"): "-", ord("/"): "_"})
