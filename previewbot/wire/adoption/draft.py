"""What grows into a blueprint while foreign files are read, and the list of what could not be carried over."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from previewbot.core.blueprint import Flaw
from previewbot.wire.blueprint import texts
from previewbot.wire.blueprint.wording import show

Plain = dict[str, object]
"""Keys and values as the file has them."""
Checker = TypeAdapter[Any]
"""What a blueprint takes in one place."""

IMAGE: Checker = TypeAdapter(texts.Image)
CONTEXT: Checker = TypeAdapter(texts.Inside)
DOCKERFILE: Checker = TypeAdapter(texts.FileInside)
STAGE: Checker = TypeAdapter(texts.Stage)
HTTP_PATH: Checker = TypeAdapter(texts.HttpPath)
MOUNT: Checker = TypeAdapter(texts.MountPath)
VERSION: Checker = TypeAdapter(texts.Version)
TIMETABLE: Checker = TypeAdapter(texts.Timetable)
DOMAIN: Checker = TypeAdapter(texts.Domain)

MOST = 20
"""How many services and resources a blueprint may have, each."""
MOST_VARIABLES = 200
MOST_ARGUMENTS = 100
MOST_WORDS = 200
MOST_REPLICAS = 10
_LONGEST_NAME = 32


@dataclass(frozen=True, slots=True, order=True)
class Left:
    """One thing that could not be carried over: where it stands, what it is, and why. No value is ever told."""

    file: str
    line: int
    """1-based; 0 where the whole file is meant."""
    what: str
    why: str

    def __str__(self) -> str:
        """``file:line: what: why``, in one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return " ".join(f"{place}: {self.what}: {self.why}".split())


@dataclass(slots=True)
class Draft:
    """A blueprint in the making."""

    services: dict[str, Plain] = field(default_factory=dict)
    resources: dict[str, Plain] = field(default_factory=dict)
    secrets: dict[str, Plain] = field(default_factory=dict)
    hooks: dict[str, Plain] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)

    def called(self, name: str) -> str:
        """A name that a service or a resource can have, and that nothing has yet."""
        taken = {*self.services, *self.resources}
        return _free(_slug(name), taken)


class Misshapen(Exception):  # noqa: N818 - the file is
    """A foreign file has something where it cannot be."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(str(flaw))
        self.flaw = flaw


def fits(kind: Checker, value: object) -> bool:
    """Whether a blueprint would take a value there."""
    try:
        kind.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def quoted(name: str) -> str:
    """A name as it is shown to people."""
    return f"`{show(name)}`"


def _slug(name: str) -> str:
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    made = made if made[:1].isalpha() else f"app-{made}"
    return made[:_LONGEST_NAME].strip("-")


def _free(name: str, taken: Collection[str]) -> str:
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name[: _LONGEST_NAME - len(str(number)) - 1].rstrip('-')}-{number}"
    return made


def is_variable_name(name: str) -> bool:
    """Whether a build argument can have this name."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name, re.ASCII) is not None
