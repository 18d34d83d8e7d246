"""The many ways in which ``compose.yaml`` writes one thing, each read to one form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from previewbot.core.blueprint import Flaw
from previewbot.wire.adoption.draft import Misshapen
from previewbot.wire.adoption.interpolation import UNKNOWN, known, split
from previewbot.wire.adoption.node import Node

_PORT = re.compile(r"([0-9]{1,5})(?:-[0-9]{1,5})?(?:/(tcp|udp))?", re.ASCII)
_PROBE = re.compile(
    r"(?:curl|wget)\s(?:[^|;&]*\s)?['\"]?https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::([0-9]+))?(/[\x21-\x7e]*?)?['\"]?"
    r"(?:\s+(?:-\S+|[>&0-9]*\s*/dev/null))*(?:\s*\|\|\s*exit 1)?",
    re.ASCII,
)


def plain(node: Node) -> str | None:
    """A text with the defaults of its variables; ``None`` where one has none."""
    text = known(split(node.text))
    return None if UNKNOWN in text else text


def mapping(node: Node | None) -> Iterator[tuple[str, Node, str | None]]:
    """Keys and texts, written as a mapping or as a list of ``KEY=value``; ``None`` where there is only a key."""
    if node is not None and node.is_list:
        for each in node.items():
            name, equals, value = each.text.partition("=")
            yield name, each, value if equals else None
    elif node is not None:
        for name, each in node.pairs().items():
            yield name, each, None if each.is_null else each.text


def names(node: Node | None) -> dict[str, Node]:
    """Names, written as a list or as the keys of a mapping."""
    if node is not None and node.is_list:
        return {each.text: each for each in node.items()}
    return {} if node is None else node.pairs()


def words(node: Node) -> tuple[str, ...]:
    """A command, written as a list of words or as one text."""
    if node.is_list:
        return tuple(each.text for each in node.items())
    try:
        return tuple(shlex.split(node.text))
    except ValueError as error:
        place = node.document.places[node.path]
        problem = f"the command cannot be split into words: {str(error).lower()}"
        raise Misshapen(Flaw(node.file, *place, problem, "close the quotes")) from None


def port(node: Node) -> int | None:
    """The port inside the container; ``None`` where it is not TCP, or not known."""
    if node.is_mapping:
        protocol, target = node.get("protocol"), node.get("target")
        text = None if target is None or (protocol and protocol.text != "tcp") else plain(target)
    else:
        text = known(split(node.text)).rpartition(":")[2]
    found = _PORT.fullmatch(text or "")
    number = int(found[1]) if found and found[2] != "udp" else 0
    return number if 0 < number < 2**16 else None


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted where: a volume by its name, or something else that has none."""

    volume: str | None
    target: str
    read_only: bool = False


def mount(node: Node) -> Mount:
    """A mount in either form."""
    if node.is_mapping:
        source, target, kind = node.get("source"), node.get("target"), node.get("type")
        is_volume = source is not None and (kind is None or kind.text == "volume")
        only = node.get("read_only")
        named = source.text if source is not None and is_volume else None
        return Mount(named, target.text if target else "", only is not None and only.text.lower() == "true")
    parts = known(split(node.text)).split(":")
    if len(parts) == 1:
        return Mount(None, parts[0])
    is_name = re.fullmatch(r"[A-Za-z0-9][\w.-]*", parts[0], re.ASCII) is not None
    return Mount(parts[0] if is_name else None, parts[1], "ro" in parts[2:3])


def probe(test: tuple[str, ...]) -> tuple[int | None, str] | None:
    """The port and path that a health check asks for, where it does nothing else."""
    text = test[-1] if test[0] in ("CMD-SHELL", "") else " ".join(test[1:])
    found = _PROBE.fullmatch(text.strip())
    return (int(found[1]) if found[1] else None, found[2] or "/") if found else None
