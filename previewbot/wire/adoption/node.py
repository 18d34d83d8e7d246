"""One value of a foreign file with its place; merges (``<<``) are written out, and what has the wrong type is told."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, replace
from typing import NoReturn

from previewbot.core.blueprint import Flaw
from previewbot.wire.adoption.draft import Misshapen, quoted
from previewbot.wire.yaml_source import START, Document, Path, load

_MERGE = "<<"
_PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Node:
    """A value, its path, and the document that it is from."""

    document: Document
    path: Path
    value: object

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.document.file

    @property
    def line(self) -> int:
        """The line of its key, or of itself."""
        place = self.document.keys.get(self.path) or self.document.places.get(self.path) or START
        return place[0]

    @property
    def is_null(self) -> bool:
        """Whether nothing is written there."""
        return self.value is None

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, list)

    @property
    def is_mapping(self) -> bool:
        """Whether it is keys and values."""
        return isinstance(self.value, dict)

    @property
    def text(self) -> str:
        """A text, a number, true or false, as it was written."""
        if isinstance(self.value, dict | list) or self.value is None:
            self.wrong("a text")
        return self.document.written[self.path]

    def pairs(self) -> dict[str, Node]:
        """Keys and values; a key of its own wins over one that is merged. Nothing where nothing is written."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.wrong("keys and values")
        below = {str(key): Node(self.document, (*self.path, key), each) for key, each in self.value.items()}
        merged = below.pop(_MERGE, None)
        sources = [] if merged is None else merged.items() if merged.is_list else [merged]
        found: dict[str, Node] = {}
        for source in sources:
            found = source.pairs() | found
        return found | below

    def items(self) -> list[Node]:
        """The entries of a list; nothing where nothing is written."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self.wrong("a list")
        return [Node(self.document, (*self.path, position), each) for position, each in enumerate(self.value)]

    def get(self, key: str) -> Node | None:
        """The value of a key; ``None`` where nothing is written."""
        found = self.pairs().get(key)
        return None if found is None or found.is_null else found

    def entries(self, key: str) -> list[Node]:
        """The entries of the list below a key."""
        found = self.get(key)
        return [] if found is None else found.items()

    def wrong(self, wanted: str) -> NoReturn:
        """Tell that something else belongs here."""
        place = self.document.places.get(self.path, START)
        named = next((str(each) for each in reversed(self.path) if isinstance(each, str)), "the file")
        raise Misshapen(Flaw(self.file, *place, f"{quoted(named)} must be {wanted} here", "mend the file"))


def read(raw: bytes, file: str) -> Node:
    """Read a YAML file, or JSON, which is YAML but for its tabs and its halves of characters; ``Misshapen``."""
    is_json = file.endswith(".json")
    document = load(_as_yaml(raw) if is_json else raw, file)
    if document.flaws:
        flaw = document.flaws[0]
        raise Misshapen(_as_json(raw, flaw) if is_json else flaw)
    return Node(document, (), document.value)


def _as_json(raw: bytes, flaw: Flaw) -> Flaw:
    """The same in the words of JSON, where it is none."""
    with contextlib.suppress(UnicodeDecodeError, RecursionError):
        try:
            json.loads(raw)
        except json.JSONDecodeError as error:
            said = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
            return replace(flaw, line=error.lineno, column=error.colno, problem=said)
    return flaw


def _as_yaml(raw: bytes) -> bytes:
    text = raw.replace(b"\t", b" ").decode("utf-8", "surrogateescape")
    return _PAIR.sub(_joined, text).encode("utf-8", "surrogateescape")


def _joined(found: re.Match[str]) -> str:
    return bytes.fromhex(found[1] + found[2]).decode("utf-16-be")
