"""Variables in texts of ``compose.yaml``: ``${NAME:-default}``, ``$NAME``, and ``$$`` for a dollar itself.

Their values are in somebody's shell or ``.env``, which nobody reads here: a default that is no secret is taken as it
is, and any other variable becomes a secret of its own name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from previewbot.core.references import Fault, Reference, parse
from previewbot.wire.adoption import secrecy
from previewbot.wire.blueprint.texts import is_variable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
UNKNOWN = "\x00"
"""Stands for the value of a variable without a default: no file can hold it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One of them, and its default, where it has one that may be copied."""

    name: str
    default: str | None


Part = str | Variable


def split(text: str) -> tuple[Part, ...]:
    """The parts of a text; what is no variable is literal."""
    parts: list[Part] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        part, position = _read(text, dollar)
        parts.append(part)
    parts.append(text[position:])
    return tuple(each for each in parts if each != "")


def _read(text: str, dollar: int) -> tuple[Part, int]:
    after = dollar + 1
    if text[after : after + 1] == "$":
        return "$", after + 1
    if text[after : after + 1] == "{" and (end := _closed(text, after)):
        return _inside(text[after + 1 : end - 1]), end
    found = _NAME.match(text, after)
    return (Variable(found[0], None), found.end()) if found else ("$", after)


def _closed(text: str, brace: int) -> int:
    """The offset after the brace that closes another; 0 where none does."""
    depth = 0
    for position in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return position + 1
    return 0


def _inside(text: str) -> Part:
    found = _NAME.match(text)
    if not found:
        return f"${{{text}}}"
    operator, given = text[found.end() :].lstrip(":")[:1], text[found.end() :].lstrip(":")[1:]
    if operator == "+":
        return Variable(found[0], "")
    if operator != "-" or "$" in given or secrecy.is_secret(found[0], given):
        return Variable(found[0], None)
    return Variable(found[0], given)


def known(parts: tuple[Part, ...]) -> str:
    """The text with every default in its place, and ``UNKNOWN`` for what has none."""
    return "".join(each if isinstance(each, str) else _value(each) for each in parts)


def _value(variable: Variable) -> str:
    return UNKNOWN if variable.default is None else variable.default


def unset(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """The names of the variables whose values are not known here."""
    found = (each.name for each in parts if isinstance(each, Variable) and each.default is None)
    return tuple(dict.fromkeys(found))


def as_blueprint(parts: tuple[Part, ...]) -> str | None:
    """The same text in a blueprint: literals escaped, unknown variables as secrets; ``None`` where it has no form."""
    names = unset(parts)
    if not all(map(is_variable, names)):
        return None
    literals = known(parts).split(UNKNOWN)
    unknown = [each.name for each in parts if isinstance(each, Variable) and each.default is None]
    made = escape(literals[0])
    for name, literal in zip(unknown, literals[1:], strict=True):
        made += f"${{secrets.{name}}}{escape(literal)}"
    read = parse(made)
    if isinstance(read, Fault):
        return None
    return made if sum(isinstance(each, Reference) for each in read) == len(unknown) else None


def escape(text: str) -> str:
    """Write a text so that a blueprint finds no reference in it."""
    return text.replace("${", "$${")
