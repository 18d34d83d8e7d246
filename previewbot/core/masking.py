"""Hiding secret values in what people are shown: as they are, and in the forms in which programs print them.

These are: each of its lines, URL-encoded, escaped as in JSON, Python, a shell and HTML; and in base64 or hexadecimal
digits, also as a part of more, and also broken into lines. What a program cuts up or computes is another text.
"""

from __future__ import annotations

import base64
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

MASK = "•••"
SHORTEST = 4
"""Values of fewer characters are not hidden: they would be found everywhere, and hide what matters."""


_LINE_LIMIT = 1000
"""Characters of a line that are worth showing."""
_NARROWEST = 16
"""Digits that a line has at least where encoded text is broken: programs write 60, 64 or 76."""
_BREAK = re.compile(rf"(?<=[A-Za-z0-9+/_=-]{{{_NARROWEST}}})\r?\n(?:#[0-9]{{1,4}} [0-9]{{1,6}}\.[0-9]{{1,3}} )?")
"""Where encoded text is broken into lines, with what BuildKit writes before each line of a step."""
_LONGEST_BREAK = 19
_CONTEXT = _NARROWEST + _LONGEST_BREAK
"""Characters before a piece of text that tell whether a break is one."""
_Span = tuple[int, int]
"""Where something begins, and where it is over."""


class Mask:
    """Hides some values. Text may come in pieces: what could be the beginning of a value is held back."""

    def __init__(self, values: Collection[str]) -> None:
        wanted = {value for value in values if len(value) >= SHORTEST}
        self._plain = _Forms.of(form for value in wanted for form in _spellings(value))
        self._coded = _Forms.of(form for value in wanted for form in _codes(value.encode("utf-8", "surrogatepass")))
        breaks = self._coded.longest // _NARROWEST + 2
        self._longest = max(self._plain.longest, self._coded.longest + breaks * _LONGEST_BREAK)
        self._held = self._before = ""

    def hide(self, text: str) -> str:
        """Hide every value in a whole text."""
        return _shown(text, self._spans(text))

    def lines(self, said: Iterable[str]) -> list[str]:
        """Hide every value in whole lines, and cut those that are endless only then: half a value would be left."""
        whole = list(said)
        return [each[:_LINE_LIMIT] for each in self.hide("\n".join(whole)).split("\n")] if whole else []

    def feed(self, text: str) -> str:
        """Take the next piece of a text, and give as much of it as can be shown already."""
        return self._give(self._held + text, self._longest - 1 if self._plain.pattern else 0)

    def finish(self) -> str:
        """Give the rest."""
        return self._give(self._held, 0)

    def _give(self, whole: str, kept: int) -> str:
        spans = self._spans(whole, self._before)
        end = max(0, len(whole) - kept)
        # What is hidden is not cut in two.
        end = next((begin for begin, over in spans if begin < end < over), end)
        self._held, self._before = whole[end:], (self._before + whole[:end])[-_CONTEXT:]
        return _shown(whole[:end], [each for each in spans if each[0] < end])

    def _spans(self, text: str, before: str = "") -> list[_Span]:
        """What is to be hidden of a text, in order and apart from each other."""
        found = sorted([*self._plain.spans(text), *_Joined.of(text, before).spans(self._coded)])
        apart: list[_Span] = []
        for begin, end in found:
            if apart and begin < apart[-1][1]:
                apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
            else:
                apart.append((begin, end))
        return apart


def _shown(text: str, spans: Iterable[_Span]) -> str:
    parts, position = list[str](), 0
    for begin, end in spans:
        parts += (text[position:begin], MASK)
        position = end
    return "".join((*parts, text[position:]))


@dataclass(frozen=True, slots=True, order=True)
class _Form:
    """One way to write a value: a pattern, and how long it gets at most."""

    longest: int
    pattern: str


@dataclass(frozen=True, slots=True)
class _Forms:
    """Many of them."""

    pattern: re.Pattern[str] | None
    longest: int

    @classmethod
    def of(cls, forms: Iterable[_Form]) -> Self:
        """Put them together: the longest first, so that no value is taken for a shorter one that it begins with."""
        ordered = sorted(set(forms), reverse=True)
        pattern = re.compile("|".join(each.pattern for each in ordered)) if ordered else None
        return cls(pattern, ordered[0].longest if ordered else 0)

    def spans(self, text: str) -> list[_Span]:
        """Where they are."""
        return [each.span() for each in self.pattern.finditer(text)] if self.pattern else []


@dataclass(frozen=True, slots=True)
class _Joined:
    """A text without the breaks in what is encoded, and where each part of it was."""

    text: str
    begins: list[int]
    """Where the parts begin here."""
    moved: list[int]
    """How far each part was moved."""

    @classmethod
    def of(cls, text: str, before: str) -> Self:
        """Join a text that follows another one."""
        parts, begins, moved, position, length = list[str](), list[int](), list[int](), 0, 0
        breaks = [(max(0, begin - len(before)), end - len(before)) for begin, end in _breaks(before + text)]
        for begin, end in [*(each for each in breaks if each[1] > 0), (len(text), len(text))]:
            parts.append(text[position:begin])
            begins.append(length)
            moved.append(position - length)
            length += begin - position
            position = end
        return cls("".join(parts), begins, moved)

    def spans(self, forms: _Forms) -> list[_Span]:
        """Where forms are in the text as it was."""
        return [(self._was(begin), self._was(end - 1) + 1) for begin, end in forms.spans(self.text)]

    def _was(self, position: int) -> int:
        return position + self.moved[bisect_right(self.begins, position) - 1]


def _breaks(text: str) -> Iterator[_Span]:
    return (each.span() for each in _BREAK.finditer(text))


# --- how programs write a value -------------------------------------------------------------------------------------


def _spellings(value: str) -> Iterator[_Form]:
    """The value itself and its lines, which a log shows one by one; and it with what is special in it escaped."""
    for each in {value, *(line for line in value.splitlines() if len(line) >= SHORTEST)}:
        yield _Form(len(each), re.escape(each))
    for escape in (_in_urls, _by_backslash, _in_html):
        yield _escaped(value, escape)


def _escaped(value: str, escape: Callable[[str], Collection[str]]) -> _Form:
    """Every program escapes some characters more than others: each may be written in any way that there is."""
    ways = [(each,) if each.isalnum() and each.isascii() else tuple(dict.fromkeys(escape(each))) for each in value]
    pattern = "".join(_any(each) for each in ways)
    return _Form(sum(max(map(len, each)) for each in ways), pattern)


def _any(ways: Collection[str]) -> str:
    """Any of these, the longest first; hexadecimal digits in either case."""
    if len(ways) == 1:
        return re.escape(*ways)
    ordered = sorted(ways, key=lambda each: (-len(each), each))
    return f"(?:{'|'.join(re.escape(each) if len(each) == 1 else f'(?i:{re.escape(each)})' for each in ordered)})"


def _in_urls(character: str) -> Collection[str]:
    raw = character.encode("utf-8", "surrogatepass")
    plus = ("+",) if character == " " else ()
    return (character, "".join(f"%{each:02X}" for each in raw), quote(raw, safe=""), *plus)


_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _by_backslash(character: str) -> Collection[str]:
    """As in JSON, Python and a shell; a backslash itself is always doubled."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    ways = ["".join(f"\\u{units[each : each + 4]}" for each in range(0, len(units), 4)), f"\\{character}"]
    ways += [_NAMED[character]] if character in _NAMED else []
    ways += [f"\\x{ord(character):02x}"] if ord(character) <= 0xFF else []  # noqa: PLR2004 - two digits
    return ways if character == "\\" else (*ways, character)


def _in_html(character: str) -> Collection[str]:
    return (character, html.escape(character), f"&#{ord(character)};", f"&#x{ord(character):x};")


def _codes(raw: bytes) -> Iterator[_Form]:
    for text in {*_in_base64(raw), raw.hex(), raw.hex().upper()}:
        yield _Form(len(text), re.escape(text))


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
