"""YAML with the place of everything in it: plain values beside the line and column of each key and value.

YAML 1.2 alone (``yes`` is a word), one document, no tags, no duplicate keys. The file is read event by event with caps
on size, depth and the number of values, aliases counted as if written out, so that no few lines become a gigabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from previewbot.core.blueprint import Flaw

SIZE_LIMIT = 256 * 1024
_DEPTH_LIMIT = 20
_VALUE_LIMIT = 5_000

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, 1-based."""

START: Place = (1, 1)


@dataclass(slots=True)
class Document:
    """The values of one document, and where they stand."""

    file: str
    value: object = None
    """Mappings, lists, text, numbers, true, false and null, as YAML 1.2 has them."""
    places: dict[Path, Place] = field(default_factory=dict)
    """Where the value of a path begins."""
    keys: dict[Path, Place] = field(default_factory=dict)
    """Where the key of a path begins."""
    written: dict[Path, str] = field(default_factory=dict)
    """Scalars as they were written."""
    text: str = ""
    """The whole file."""
    spans: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Where the scalar of a path begins and ends in ``text``."""
    flaws: list[Flaw] = field(default_factory=list)

    def flaw(self, path: Path, problem: str, fix: str, *, key: bool = False) -> Flaw:
        """A flaw at the value (or the key) of a path, or at the nearest thing above it that was written."""
        while path and path not in self.places:
            path, key = path[:-1], False
        place = (self.keys if key else self.places).get(path) or self.places.get(path, START)
        return Flaw(self.file, *place, problem, fix)

    def place_of(self, path: Path, mark: str, number: int) -> Place:
        """Where a scalar's text has this mark for the ``number``-th time (from 0), whatever quotes are around it."""
        start, end = self.spans[path]
        position = start - 1
        for _ in range(number + 1):
            position = self.text.find(mark, position + 1, end)
            if position < 0:
                return self.places[path]
        line, column = self.places[path]
        breaks = self.text.count("\n", start, position)
        return line + breaks, position - (self.text.rfind("\n", 0, position) if breaks else start - column)


class _Unreadable(Exception):  # noqa: N818 - the document is
    def __init__(self, place: Place, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.place, self.problem, self.fix = place, problem, fix


@dataclass(frozen=True, slots=True)
class _Value:
    """One value with everything below it; ``size`` counts what it is once aliases are written out."""

    place: Place
    text: str | None = None
    span: tuple[int, int] = (0, 0)
    is_plain: bool = False
    items: tuple[_Value, ...] | None = None
    pairs: tuple[tuple[_Value, _Value], ...] = ()
    size: int = 1


def load(raw: bytes, file: str) -> Document:
    """Read one document; whatever keeps it from being read stands in its ``flaws``, with its place."""
    document = Document(file)
    try:
        document.text = _decode(raw)
        root = _Reader(document.text).document()
        if root is not None:
            document.value = _spread(root, (), document)
    except _Unreadable as error:
        document.flaws.append(Flaw(file, *error.place, error.problem, error.fix))
    except MarkedYAMLError as error:
        document.flaws.append(_marked(file, error))
    except (YAMLError, ValueError, OverflowError) as error:
        document.flaws.append(Flaw(file, *START, f"this is not YAML: {_one_line(error)}", "check the escapes"))
    return document


# --- from bytes to text ---------------------------------------------------------------------------------------------

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _decode(raw: bytes) -> str:
    if len(raw) > SIZE_LIMIT:
        raise _Unreadable(START, f"the file is larger than {SIZE_LIMIT // 1024} KiB", "make it smaller")
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        raise _Unreadable(_place_after(before), "this is not UTF-8", "save the file as UTF-8") from None
    found = _UNPRINTABLE.search(text)
    if found:
        place = _place_after(text[: found.start()])
        raise _Unreadable(place, f"the invisible character U+{ord(found[0]):04X} stands here", "delete it")
    return text


def _place_after(text: str) -> Place:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


# --- from text to values --------------------------------------------------------------------------------------------


class _Reader:
    """Builds the values of one document from the parser's events, and stops at the first that is too much."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
        self._anchors: dict[str, _Value | None] = {}
        self._read = 0

    def document(self) -> _Value | None:
        root = None
        for event in self._events:
            place = _start(event)
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise _Unreadable(place, "a second document begins here", "keep one document")
                if event.version or event.tags:
                    raise _Unreadable(START, "directives (`%…`) are not read here", "delete them")
                root = self._value(next(self._events), 0)
        return root

    def _value(self, event: Event, depth: int) -> _Value:
        place = _start(event)
        self._read += 1
        if depth > _DEPTH_LIMIT or self._read > _VALUE_LIMIT:
            raise _Unreadable(place, "the file is nested too deeply, or too long", "write it more plainly")
        if isinstance(event, AliasEvent):
            return self._aliased(event, place)
        if not isinstance(event, ScalarEvent | CollectionStartEvent):
            raise _Unreadable(place, "a value is missing here", "write one")
        if event.tag:
            raise _Unreadable(place, f"tags such as `{_one_line(event.tag)[:40]}` are not read here", "delete it")
        if event.anchor:
            self._anchors[event.anchor] = None
        made = self._build(event, place, depth)
        if made.size > _VALUE_LIMIT:
            raise _Unreadable(place, "the aliases here repeat too much", "write it out plainly")
        if event.anchor:
            self._anchors[event.anchor] = made
        return made

    def _aliased(self, event: AliasEvent, place: Place) -> _Value:
        known = self._anchors.get(event.anchor)
        if known is None:
            has = "refers to itself" if event.anchor in self._anchors else "refers to nothing above it"
            raise _Unreadable(place, f"the alias `*{_one_line(event.anchor)[:40]}` {has}", "write it out plainly")
        return known

    def _build(self, event: Event, place: Place, depth: int) -> _Value:
        if isinstance(event, ScalarEvent):
            span = event.start_mark.index, event.end_mark.index
            return _Value(place, text=_checked(event.value, place), span=span, is_plain=event.style is None)
        if isinstance(event, SequenceStartEvent):
            items = tuple(self._value(each, depth + 1) for each in self._until(SequenceEndEvent))
            return _Value(place, items=items, size=1 + sum(each.size for each in items))
        pairs = tuple(
            (self._value(key, depth + 1), self._value(next(self._events), depth + 1))
            for key in self._until(MappingEndEvent)
        )
        return _Value(place, pairs=pairs, size=1 + sum(value.size for _, value in pairs))

    def _until(self, end: type[Event]) -> Iterator[Event]:
        while not isinstance(event := next(self._events), end):
            yield event


def _checked(text: str, place: Place) -> str:
    """Text that every process, file and database can hold: escapes can write what the file itself may not."""
    if "\x00" in text or re.search("[\ud800-\udfff]", text):
        raise _Unreadable(place, "the text here has a character that nothing can hold", "delete its `\\0` or `\\ud…`")
    return text


def _start(event: Event) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


# --- from values to plain ones --------------------------------------------------------------------------------------


def _spread(value: _Value, path: Path, document: Document) -> object:
    document.places[path] = value.place
    if value.text is not None:
        document.written[path], document.spans[path] = value.text, value.span
        return _resolve(value.text) if value.is_plain else value.text
    if value.items is not None:
        return [_spread(each, (*path, index), document) for index, each in enumerate(value.items)]
    return dict(_pairs(value, path, document))


def _pairs(value: _Value, path: Path, document: Document) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    for key, below in value.pairs:
        name = key.text
        if name is None:
            raise _Unreadable(key.place, "a key must be a single word", "write `key: value`")
        if name in seen:
            problem = f"the key `{_one_line(name)[:40]}` stands here twice"
            document.flaws.append(Flaw(document.file, *key.place, problem, "remove one of them"))
            continue
        seen.add(name)
        document.keys[*path, name] = key.place
        yield name, _spread(below, (*path, name), document)


_NAMED: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


def _resolve(text: str) -> object:
    """Resolve a plain scalar by YAML 1.2's core schema, but for the integers of other bases: those stay text."""
    if text in _NAMED:
        return _NAMED[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


# --- what went wrong ------------------------------------------------------------------------------------------------


def _marked(file: str, error: MarkedYAMLError) -> Flaw:
    mark = error.problem_mark or error.context_mark
    place: Place = (mark.line + 1, mark.column + 1) if mark else START
    problem = _one_line(error.problem or error.context or "something is missing")
    if "'\\t'" in problem:
        return Flaw(file, *place, "a tab stands where YAML wants spaces", "indent with spaces")
    return Flaw(file, *place, f"this is not YAML: {problem}", "check the indentation and the quotes")


def _one_line(text: object) -> str:
    return " ".join(str(text).split()).replace("`", "'")[:200]
