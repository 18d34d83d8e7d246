"""References: ``${resources.db.url}`` in a text of the blueprint, and what each kind of thing can be asked for.

A text is literal parts and references; ``$${`` is a literal ``${``, and a ``$`` without a brace after it is itself.
Nothing here knows what exists: that a reference leads somewhere is checked where the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from previewbot.core.blueprint import Blueprint, Hook, ResourceType, Service


@dataclass(frozen=True, slots=True)
class Reference:
    """One ``${a.b.c}``: its words, and where it stands in its text."""

    path: tuple[str, ...]
    start: int
    """The offset of its ``$``."""
    end: int
    """The offset after its ``}``."""

    def __str__(self) -> str:
        """``${a.b.c}``, as it was written."""
        return f"${{{'.'.join(self.path)}}}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A ``${`` that begins no reference: its offset, what is wrong, and how to mend it."""

    offset: int
    problem: str
    fix: str


Part = str | Reference

SERVER_FIELDS = ("url", "host", "port", "user", "password", "name")
RESOURCE_FIELDS: Mapping[ResourceType, tuple[str, ...]] = {
    ResourceType.POSTGRES: SERVER_FIELDS,
    ResourceType.MYSQL: SERVER_FIELDS,
    ResourceType.REDIS: SERVER_FIELDS,
    ResourceType.RABBITMQ: SERVER_FIELDS,
    ResourceType.STORAGE: ("endpoint", "bucket", "access_key", "secret_key", "region", "url"),
    ResourceType.QUEUE: ("endpoint", "name", "url", "access_key", "secret_key", "region"),
    ResourceType.VOLUME: (),
}
"""What ``${resources.NAME.…}`` can ask for; a volume is mounted and not asked."""
SERVICE_FIELDS = ("url", "public_url")
"""What ``${services.NAME.…}`` can ask for: where its siblings reach it, and where the world does."""
ENVIRONMENT_FIELDS = ("name", "kind", "number")
COMMIT_FIELDS = ("sha",)
SCOPES = ("resources", "services", "environment", "commit", "secrets")
"""The first words there are."""

_OPEN = re.compile(r"\$?\$\{")
_WORD = r"[A-Za-z_][A-Za-z0-9_-]*"
_PATH = re.compile(rf"{_WORD}(?:\.{_WORD})*", re.ASCII)
_LONGEST_SHOWN = 40


def parse(text: str) -> tuple[Part, ...] | Fault:
    """Split a text into literal parts, none of them empty, and references; or tell its first fault."""
    parts: list[Part] = []
    literal, position = "", 0
    while found := _OPEN.search(text, position):
        literal += text[position : found.start()]
        position = found.end()
        if found[0] == "$${":
            literal += "${"
            continue
        reference = _read(text, found.start())
        if isinstance(reference, Fault):
            return reference
        parts += [literal, reference] if literal else [reference]
        literal, position = "", reference.end
    literal += text[position:]
    return (*parts, literal) if literal else tuple(parts)


def _read(text: str, start: int) -> Reference | Fault:
    end = text.find("}", start)
    if end < 0:
        return Fault(start, "`${` is not closed", "close it with `}`, or write `$${` for a literal `${`")
    inside = text[start + 2 : end]
    if _PATH.fullmatch(inside):
        return Reference(tuple(inside.split(".")), start, end + 1)
    tidy = "".join(inside.split())
    if _PATH.fullmatch(tidy):
        return Fault(start, f"`{_show(text[start : end + 1])}` has spaces in it", f"did you mean `${{{_show(tidy)}}}`?")
    literal = _show(f"$${{{inside}}}")
    return Fault(
        start,
        f"`{_show(text[start : end + 1])}` is not a reference",
        f"write it like `${{resources.db.url}}`, or `{literal}` for the text itself",
    )


def _show(text: str) -> str:
    line = "".join(each if each.isprintable() else " " for each in text).replace("`", "'")
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 1]}…"


def split(text: str) -> tuple[Part, ...]:
    """The parts of a text; raises ``ValueError`` for one with a fault: those are found when the blueprint is read."""
    match parse(text):
        case Fault(problem=problem):
            raise ValueError(problem)
        case parts:
            return parts


def references(*texts: str) -> tuple[Reference, ...]:
    """All references of these texts in their order; a text with a fault has none."""
    found = (parse(text) for text in texts)
    return tuple(
        part for parts in found if not isinstance(parts, Fault) for part in parts if isinstance(part, Reference)
    )


def secrets(*texts: str) -> tuple[str, ...]:
    """The names of the secrets that these texts name, each once, in their order."""
    return _named("secrets", texts)


def resources(*texts: str) -> tuple[str, ...]:
    """The names of the resources that these texts name, each once, in their order."""
    return _named("resources", texts)


def _named(scope: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    found = (each.path for each in references(*texts))
    return tuple(dict.fromkeys(path[1] for path in found if path[0] == scope and len(path) > 1))


def secrets_needed(blueprint: Blueprint) -> Mapping[str, tuple[str, ...]]:
    """The names of all secrets that each service needs: its own, and those of the hooks that run in its place."""
    hooks = blueprint.every_hook
    return {
        each.name: tuple(dict.fromkeys((*secrets_of(each), *secrets(*_commands(hooks, each.name)))))
        for each in blueprint.services
    }


def _commands(hooks: tuple[Hook, ...], service: str) -> tuple[str, ...]:
    return tuple(chain.from_iterable(each.command for each in hooks if each.service == service))


def secrets_of(service: Service) -> tuple[str, ...]:
    """The names of all secrets that a service needs by itself: as variables, in its texts, and in its build."""
    mounted = service.build.secrets if service.build else ()
    return tuple(dict.fromkeys((*service.secrets, *mounted, *secrets(*_texts(service)))))


def resources_of(service: Service) -> tuple[str, ...]:
    """The names of all resources that a service needs: those its texts name, and its volumes."""
    return tuple(dict.fromkeys((*resources(*_texts(service)), *service.volumes)))


def _texts(service: Service) -> tuple[str, ...]:
    return tuple(chain(service.env.values(), service.command or ()))
