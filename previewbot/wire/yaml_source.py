"""YAML with the place of everything in it: plain values beside the line and column of each key and value.

YAML 1.2 alone (``yes`` is a word), one document, no tags, no duplicate keys, and caps on size, depth and the number
of nodes, counted after aliases are expanded, so that a few lines cannot become a gigabyte.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from previewbot.core.blueprint import Flaw

SIZE_LIMIT = 256 * 1024
_DEPTH_LIMIT = 20
_NODE_LIMIT = 20_000

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, 1-based."""


@dataclass(slots=True)
class Document:
    """The values of one document, and where they stand."""

    file: str
    value: object = None
    places: dict[Path, Place] = field(default_factory=dict)
    """Where the value of a path begins."""
    keys: dict[Path, Place] = field(default_factory=dict)
    """Where the key of a path begins."""
    written: dict[Path, str] = field(default_factory=dict)
    """Scalars as they were written."""
    flaws: list[Flaw] = field(default_factory=list)
    nodes: int = 0

    def flaw(self, path: Path, problem: str, fix: str, *, key: bool = False) -> Flaw:
        """A flaw at a path, or at the nearest thing above it that was written."""
        while path and path not in self.places:
            path, key = path[:-1], False
        line, column = (self.keys if key else self.places).get(path) or self.places.get(path, (1, 1))
        return Flaw(self.file, line, column, problem, fix)


class _TooMuch(Exception):  # noqa: N818 - the document is
    pass


def load(raw: bytes, file: str) -> Document:
    """Read one document; whatever keeps it from being read stands in its ``flaws``, with its place."""
    document = Document(file)
    if len(raw) > SIZE_LIMIT:
        return _unreadable(document, 1, 1, f"the file is larger than {SIZE_LIMIT // 1024} KiB", "make it smaller")
    try:
        text = raw.decode("utf-8-sig")
        root = _compose(text, document)
        if root is not None:
            document.value = _read(root, (), document)
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        return _unreadable(document, before.count(b"\n") + 1, 1, "this is not UTF-8", "save the file as UTF-8")
    except MarkedYAMLError as error:
        return _marked(document, error)
    except (_TooMuch, RecursionError):
        return _unreadable(document, 1, 1, "the file is nested too deeply or repeats too much", "write it out plainly")
    except (YAMLError, ValueError) as error:
        return _unreadable(document, 1, 1, f"this is not YAML: {_one_line(error)}", "check the characters of the file")
    return document


def _compose(text: str, document: Document) -> Node | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReusedAnchorWarning)  # legal, and nobody reads our warnings
        nodes = list(YAML(typ="rt", pure=True).compose_all(text))
    if len(nodes) > 1:
        mark = nodes[1].start_mark
        document.flaws.append(
            Flaw(document.file, mark.line + 1, mark.column + 1, "a second document begins here", "keep one document")
        )
    document.places[()] = (1, 1)
    return nodes[0] if nodes else None


def _read(node: Node, path: Path, document: Document) -> object:
    document.nodes += 1
    if len(path) > _DEPTH_LIMIT or document.nodes > _NODE_LIMIT:
        raise _TooMuch
    document.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    match node:
        case MappingNode():
            return dict(_pairs(node, path, document))
        case SequenceNode():
            return [_read(each, (*path, index), document) for index, each in enumerate(node.value)]
        case ScalarNode():
            document.written[path] = node.value
            return _scalar(node)
        case _:
            raise _TooMuch


def _pairs(node: MappingNode, path: Path, document: Document) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else "?"
        here = (*path, name)
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if name in seen:
            document.flaws.append(
                Flaw(document.file, *place, f"the key `{name}` stands here twice", "remove one of them")
            )
            continue
        seen.add(name)
        document.keys[here] = place
        yield name, _read(value, here, document)


_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}


def _scalar(node: ScalarNode) -> object:
    """Resolve a plain scalar by YAML 1.2's core schema; quoted text is always text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in _TRUE | _FALSE:
        return text in _TRUE
    for kind in (int, float):
        try:
            if text.isascii() and "_" not in text and text.lower() not in {"nan", "inf", "infinity"}:
                return kind(text)
        except ValueError:
            continue
    return text


def _marked(document: Document, error: MarkedYAMLError) -> Document:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = _one_line(error.problem or error.context or "this is not YAML")
    if "'\\t'" in problem:
        return _unreadable(document, line, column, "a tab stands where YAML wants spaces", "indent with spaces")
    return _unreadable(document, line, column, f"this is not YAML: {problem}", "check the indentation and the quotes")


def _unreadable(document: Document, line: int, column: int, problem: str, fix: str) -> Document:  # noqa: PLR0917
    document.value = None
    document.flaws.append(Flaw(document.file, line, column, problem, fix))
    return document


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:200]
