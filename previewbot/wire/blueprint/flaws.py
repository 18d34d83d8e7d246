"""What is wrong with a blueprint, in words: each flaw with its place, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from previewbot.core.blueprint import Flaw
from previewbot.wire.blueprint.shape import BlueprintShape, BuildShape, HealthShape, PreviewsShape, ServiceShape
from previewbot.wire.yaml_source import Document, Path

_LONGEST_NAME = 40


def translate(document: Document, error: ErrorDetails) -> Flaw:
    """Turn one of pydantic's errors into a flaw at its place in the file."""
    path, is_key = _written_path(document, error["loc"])
    name = f"`{_show(path[-1])}`{_where(path[:-1])}" if path else "the file"
    match error["type"]:
        case "extra_forbidden":
            return document.flaw(path, f"unknown key {name}", _suggest(path), key=True)
        case "missing":
            return document.flaw(path, f"{name} is missing", _MISSING.get(path, "add it"))
        case kind:
            problem, fix = _explain(kind, error)
            return document.flaw(path, f"{name} {problem}", fix, key=is_key)


_MISSING: Mapping[Path, str] = {
    ("version",): "begin the file with `version: 1`",
    ("services",): "add `services:` with at least one service below it",
}


def _explain(kind: str, error: ErrorDetails) -> tuple[str, str]:
    value, bounds = error["input"], error.get("ctx", {})
    match kind:
        case "flaw":
            return bounds["problem"], bounds["fix"]
        case "int_type" | "int_from_float":
            fix = "write it without quotes" if isinstance(value, str) and value.isdecimal() else ""
            return f"must be a whole number, not {_describe(value)}", fix
        case "bool_type":
            return f"must be true or false, not {_describe(value)}", "YAML 1.2 knows only `true` and `false`"
        case "string_type":
            fix = "put it in quotes" if isinstance(value, int | float) else ""
            return f"must be a text, not {_describe(value)}", fix
        case "list_type":
            return f"must be a list, not {_describe(value)}", "write each entry on its own line after `- `"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"must be keys and values, not {_describe(value)}", "indent them below it"
        case "literal_error":
            return f"must be 1, not {_describe(value)}", "write `version: 1`"
        case _:
            return _bounded(kind, bounds)


def _bounded(kind: str, bounds: Mapping[str, object]) -> tuple[str, str]:
    most = bounds.get("max_length", bounds.get("le"))
    match kind:
        case "greater_than_equal":
            return f"must be at least {bounds['ge']}", ""
        case "less_than_equal":
            return f"must be at most {most}", ""
        case "too_short" | "string_too_short":
            return "is empty", "write something, or leave it out"
        case "too_long":
            return f"has more than {most} entries", "leave some out"
        case "string_too_long":
            return f"has more than {most} characters", "make it shorter"
        case _:
            return "cannot be read", "see the reference"


def empties(document: Document) -> Iterator[Flaw]:
    """Find the keys without a value: what was forgotten is never taken for a default."""
    for path in document.written:
        if path and _at(document.value, path) is None:
            fix = (
                "write `''` for an empty text"
                if path[-2:-1] in {("env",), ("args",)}
                else "give it one, or leave it out"
            )
            yield document.flaw(path, f"`{_show(path[-1])}`{_where(path[:-1])} has no value", fix, key=True)


def contradictions(document: Document) -> Iterator[Flaw]:
    """Find what no single key shows, whether or not the rest of the file is right."""
    services = document.value.get("services") if isinstance(document.value, dict) else None
    for name, service in services.items() if isinstance(services, dict) else ():
        if isinstance(service, dict):
            yield from _contradictions(document, name, service)


def _contradictions(document: Document, name: str, service: Mapping[str, object]) -> Iterator[Flaw]:
    path: Path = ("services", name)
    shown = f"service `{_show(name)}`"
    build, image, port = (service.get(key) is not None for key in ("build", "image", "port"))
    if build == image:
        has = "both `build` and `image`" if build else "neither `build` nor `image`"
        yield document.flaw(path, f"{shown} has {has}", "give exactly one of them", key=True)
    if service.get("public") is True and not port:
        yield document.flaw((*path, "public"), f"{shown} is public but has no port", "give its `port`")
    health = service.get("health")
    asks = health.get("path") is not None if isinstance(health, dict) else isinstance(health, str)
    if asks and not port:
        yield document.flaw((*path, "health"), f"{shown} has a health path but no port", "give its `port`")


def _written_path(document: Document, location: tuple[int | str, ...]) -> tuple[Path, bool]:
    """The path of an error as the file has it, and whether its key is meant.

    Pydantic puts names of union members and ``[key]`` between the keys, and the keys that a short form stands for.
    """
    path: Path = ()
    for position, part in enumerate(location):
        if part == "[key]" and position == len(location) - 1:
            return path, True
        is_missing = position == len(location) - 1 and isinstance(_at(document.value, path), dict)
        if (*path, part) in document.places or (is_missing and part not in _MEMBERS):
            path = (*path, part)
    return path, False


_MEMBERS = {"str", "bool", "int", "float"}


def _at(value: object, path: Path) -> object:
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return value


def _where(path: Path) -> str:
    match path:
        case ():
            return ""
        case ("services",):
            return " in `services`"
        case ("services", name):
            return f" in service `{_show(name)}`"
        case ("services", name, *rest):
            return f" in `{'.'.join(map(_show, rest))}` of service `{_show(name)}`"
        case _:
            return f" in `{'.'.join(map(_show, path))}`"


def _show(name: object) -> str:
    """A name as it may stand between backticks in a sentence: one line, not long."""
    text = "".join(each if each.isprintable() else " " for each in str(name)).replace("`", "'")
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _describe(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text `{_show(value)}`"
        case list():
            return "a list"
        case _:
            return "keys and values"


def _suggest(path: Path) -> str:
    known = list(_shape_at(path[:-1]).model_fields)
    written = str(path[-1])[:_LONGEST_NAME]
    close = difflib.get_close_matches(written.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"


def _shape_at(path: Path) -> type[BaseModel]:
    match path:
        case ("services", _):
            return ServiceShape
        case ("services", _, "build"):
            return BuildShape
        case ("services", _, "health"):
            return HealthShape
        case ("previews",):
            return PreviewsShape
        case _:
            return BlueprintShape
