"""What is wrong with single keys of a blueprint, in words: each flaw with its place, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from previewbot.core.blueprint import Flaw
from previewbot.wire.blueprint.habits import instead
from previewbot.wire.blueprint.shape import (
    LIST,
    MAPPING,
    BlueprintShape,
    EnvironmentShape,
    PreviewsShape,
    ResourceOverrideShape,
    SecretShape,
    ServiceOverrideShape,
)
from previewbot.wire.blueprint.shape_parts import (
    BuildShape,
    HealthShape,
    HookShape,
    HooksShape,
    ResourceShape,
    ServiceShape,
)
from previewbot.wire.blueprint.wording import closest, describe, subject, suggest, thing_and_rest
from previewbot.wire.yaml_source import Document, Path


def translate(document: Document, error: ErrorDetails) -> Flaw:
    """Turn one of pydantic's errors into a flaw at its place in the file."""
    path, is_key = _written_path(document, error["loc"])
    match error["type"]:
        case "extra_forbidden" if path[:1] == ("environments",):
            return _unlike(document, path)
        case "extra_forbidden":
            fix = instead(path) or suggest(path[-1], _shape_at(path[:-1]).model_fields)
            return document.flaw(path, f"unknown key {subject(path)}", fix, key=True)
        case "missing":
            return document.flaw(path, f"{subject(path)} is missing", _MISSING.get(path, "add it"))
        case kind:
            problem, fix = _explain(kind, error, may_show="secrets" not in path)
            return document.flaw(path, f"{subject(path)} {problem}", fix, key=is_key)


_MISSING: Mapping[Path, str] = {
    ("version",): "begin the file with `version: 1`",
    ("services",): "add `services:` with at least one service below it",
}


def _unlike(document: Document, path: Path) -> Flaw:
    """Say why an environment cannot differ in this: it would be no test of the next."""
    key, allowed = str(path[-1]), _shape_at(path[:-1]).model_fields
    thing, _ = thing_and_rest(path[:-1])
    kind = path[2] if len(path) > 4 else None  # noqa: PLR2004 - environments, name, services, name, key
    everywhere: Mapping[str, object] = {
        "services": ServiceShape.model_fields,
        "resources": ResourceShape.model_fields,
    }.get(str(kind), BlueprintShape.model_fields)
    if key not in everywhere and (meant := closest(key, allowed)):
        return document.flaw(path, f"unknown key {subject(path)}", f"did you mean `{meant}`?", key=True)
    home = thing.partition(" of ")[0] if kind in {"services", "resources"} else "the file"
    return document.flaw(
        path,
        f"{subject(path)} cannot differ between environments: what passed in one must be what runs in the next, "
        f"so only {', '.join(allowed)} may",
        f"declare it in {home} for all, or pass what differs as a secret or by a reference in `env`",
        key=True,
    )


def _explain(kind: str, error: ErrorDetails, *, may_show: bool) -> tuple[str, str]:
    value, bounds = error["input"], error.get("ctx", {})
    shown = describe(value) if may_show or not isinstance(value, str) else "a text"
    match kind:
        case "flaw":
            return bounds["problem"], bounds["fix"]
        case "int_type" | "int_from_float":
            fix = "write it without quotes" if isinstance(value, str) and value.isdecimal() else ""
            return f"must be a whole number, not {shown}", fix
        case "bool_type":
            return f"must be true or false, not {shown}", "YAML 1.2 knows only `true` and `false`"
        case "string_type":
            fix = "put it in quotes" if isinstance(value, int | float) else ""
            return f"must be a text, not {shown}", fix
        case "list_type":
            return f"must be a list, not {shown}", "write each entry on its own line after `- `"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"must be keys and values, not {shown}", "indent them below it"
        case "literal_error":
            return f"must be 1, not {shown}", "write `version: 1`"
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
            yield document.flaw(path, f"{subject(path)} has no value", _filling(path), key=True)


def _filling(path: Path) -> str:
    match path:
        case (*_, "env" | "args", _):
            return "write `''` for an empty text"
        case ("secrets", _):
            return "write `{}` where nothing is said of it, and never its value"
        case ("environments", _) | ("environments", _, _, _):
            return "write `{}` where nothing differs"
        case _:
            return "give it one, or leave it out"


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


_MEMBERS = {"str", "bool", "int", "float", LIST, MAPPING}


def _at(value: object, path: Path) -> object:
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return value


def _shape_at(path: Path) -> type[BaseModel]:
    for pattern, shape in _SHAPES.items():
        if len(pattern) == len(path) and all(each in {"*", part} for each, part in zip(pattern, path, strict=True)):
            return shape
    return BlueprintShape


_SHAPES: Mapping[tuple[str, ...], type[BaseModel]] = {
    ("services", "*"): ServiceShape,
    ("services", "*", "build"): BuildShape,
    ("services", "*", "health"): HealthShape,
    ("resources", "*"): ResourceShape,
    ("resources", "*", "seed"): HookShape,
    ("secrets", "*"): SecretShape,
    ("hooks",): HooksShape,
    ("hooks", "*"): HookShape,
    ("environments", "*"): EnvironmentShape,
    ("environments", "*", "services", "*"): ServiceOverrideShape,
    ("environments", "*", "resources", "*"): ResourceOverrideShape,
    ("previews",): PreviewsShape,
}
