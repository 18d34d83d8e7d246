"""``previewbot.yaml`` to a blueprint, or to all its flaws with their places; and back again."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML

from previewbot.core.blueprint import Blueprint, Build, Filters, Flaw, Health, Service
from previewbot.wire import dockerfile
from previewbot.wire.blueprint_shape import (
    BlueprintShape,
    BuildShape,
    HealthShape,
    PreviewsShape,
    ServiceShape,
)
from previewbot.wire.yaml_source import Document, Path, load

_DEFAULT_PORT = 8080


def parse(raw: bytes, *, file: str = "previewbot.yaml", fallback_app: str) -> Blueprint | tuple[Flaw, ...]:
    """Read a blueprint; any bytes at all are one, or a non-empty tuple of flaws in the order of their places.

    ``fallback_app`` is the app's name where the file gives none: a slug.
    """
    document = load(raw, file)
    flaws = list(document.flaws)
    if document.value is None and not flaws:
        flaws.append(Flaw(file, 1, 1, "the file is empty", "begin with `version: 1` and `services:`"))
    if not isinstance(document.value, dict):
        flaws = flaws or [document.flaw((), "keys and values are needed here", "begin with `version: 1`")]
        return tuple(flaws)
    try:
        shape = BlueprintShape.model_validate(document.value)
    except ValidationError as error:
        flaws += [_flaw(document, each) for each in error.errors(include_url=False)]
    else:
        flaws += _contradictions(document, shape)
    if flaws:
        return tuple(sorted(set(flaws), key=lambda flaw: (flaw.line, flaw.column, flaw.problem)))
    return _translate(document, shape, fallback_app)


def from_dockerfile(raw: bytes, *, app: str) -> Blueprint:
    """Make the blueprint of a repository that has only a ``Dockerfile``: one public service, ``web``."""
    port = dockerfile.exposed_port(raw) or _DEFAULT_PORT
    return Blueprint(app, (Service("web", build=Build(), port=port, public=True),))


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    made = BlueprintShape.model_json_schema()
    service = made["$defs"]["ServiceShape"]["properties"]
    for name in ("build", "command", "health"):  # each may also be a single text
        whole = service[name].pop("anyOf", None) or [{"$ref": service[name].pop("$ref")}]
        service[name]["anyOf"] = [{"type": "string"}, *whole]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "previewbot.yaml"}


def render(blueprint: Blueprint) -> str:
    """Write a blueprint as YAML with every default in it; ``parse`` reads the same blueprint back."""
    out = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.dump(_plain(blueprint), out)
    return out.getvalue()


# --- from the shape to core -----------------------------------------------------------------------------------------


def _translate(document: Document, shape: BlueprintShape, fallback_app: str) -> Blueprint:
    ported = [name for name, service in shape.services.items() if service.port]
    default = "web" if "web" in ported else ported[0] if len(ported) == 1 else None
    services = tuple(
        _service(document, name, service, is_default=name == default) for name, service in shape.services.items()
    )
    previews = shape.previews
    filters = Filters(
        drafts=previews.drafts,
        label=previews.label,
        label_required=previews.label_required,
        exclude_label=previews.exclude_label,
        branches=None if previews.branches is None else tuple(previews.branches),
        paths=None if previews.paths is None else tuple(previews.paths),
    )
    return Blueprint(shape.app or fallback_app, services, filters)


def _service(document: Document, name: str, shape: ServiceShape, *, is_default: bool) -> Service:
    path = ("services", name)
    build = None
    if shape.build:
        args = _as_written(document, (*path, "build", "args"), shape.build.args)
        build = Build(shape.build.context, shape.build.dockerfile, shape.build.target, args)
    return Service(
        name=name,
        build=build,
        image=shape.image,
        command=tuple(shape.command) if shape.command else None,
        port=shape.port,
        public=is_default if shape.public is None else shape.public,
        health=Health(shape.health.path, shape.health.timeout),
        env=_as_written(document, (*path, "env"), shape.env),
        replicas=shape.replicas,
    )


def _as_written(document: Document, path: Path, values: Mapping[str, object]) -> dict[str, str]:
    """Keep ``1.10`` what the user typed, and not what a number becomes."""
    return {name: document.written.get((*path, name), str(value)) for name, value in values.items()}


def _contradictions(document: Document, shape: BlueprintShape) -> Iterator[Flaw]:
    for name, service in shape.services.items():
        path: Path = ("services", name)
        if (service.build is None) == (service.image is None):
            has = "both `build` and `image`" if service.build else "neither `build` nor `image`"
            yield document.flaw(path, f"service `{name}` has {has}", "give exactly one of them", key=True)
        if service.public and service.port is None:
            yield document.flaw((*path, "public"), f"service `{name}` is public but has no port", "give its `port`")
        if service.health.path and service.port is None:
            yield document.flaw((*path, "health"), f"service `{name}` has no port to ask", "give its `port`")


# --- from pydantic's errors to flaws --------------------------------------------------------------------------------

_SHAPES: Mapping[str, type[BaseModel]] = {
    "build": BuildShape,
    "health": HealthShape,
    "previews": PreviewsShape,
}

_FIXES = {
    "missing": "add it",
    "int_type": "write a whole number",
    "bool_type": "write true or false",
    "string_type": "write a text, in quotes if it looks like a number",
    "dict_type": "write keys and values, indented below it",
    "model_type": "write keys and values, indented below it",
    "list_type": "write a list",
    "string_pattern_mismatch": "names are lower case letters, digits and hyphens, and begin with a letter",
}


def _flaw(document: Document, error: ErrorDetails) -> Flaw:
    path = _written_path(document, error["loc"])
    name = str(path[-1]) if path else ""
    where = f" in {_where(path[:-1])}" if len(path) > 1 else ""
    match error["type"]:
        case "extra_forbidden":
            return document.flaw(path, f"unknown key `{name}`{where}", _suggest(path), key=True)
        case "missing":
            return document.flaw(path, f"`{name}` is missing{where}", "add it")
        case kind:
            said = error["msg"].removeprefix("Value error, ")
            fix = _FIXES.get(kind, "" if kind == "value_error" else "see the reference")
            return document.flaw(path, f"`{name}`{where}: {said[:1].lower()}{said[1:]}"[:300], fix)


def _written_path(document: Document, location: tuple[int | str, ...]) -> Path:
    """Leave out what pydantic puts between the keys: names of union members and ``[key]``."""
    path: Path = ()
    for part in location:
        if part == "[key]":
            break
        is_last = part == location[-1]
        if (*path, part) in document.places or (is_last and part not in {"str", "bool", "int", "float"}):
            path = (*path, part)
    return path


def _where(path: Path) -> str:
    match path:
        case ("services", name):
            return f"service `{name}`"
        case ("services", name, *rest):
            return f"`{'.'.join(map(str, rest))}` of service `{name}`"
        case _:
            return f"`{'.'.join(map(str, path))}`"


def _suggest(path: Path) -> str:
    shape = _shape_at(path[:-1])
    known = list(shape.model_fields)
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"


def _shape_at(path: Path) -> type[BaseModel]:
    if len(path) == 2 and path[0] == "services":  # noqa: PLR2004 - services.NAME
        return ServiceShape
    return _SHAPES.get(str(path[-1]), BlueprintShape) if path else BlueprintShape


# --- and back -------------------------------------------------------------------------------------------------------


def _plain(blueprint: Blueprint) -> dict[str, object]:
    return {
        "version": 1,
        "app": blueprint.app,
        "services": {service.name: _plain_service(service) for service in blueprint.services},
        "previews": _given(
            {
                "drafts": blueprint.previews.drafts,
                "label": blueprint.previews.label,
                "label_required": blueprint.previews.label_required,
                "exclude_label": blueprint.previews.exclude_label,
                "branches": _listed(blueprint.previews.branches),
                "paths": _listed(blueprint.previews.paths),
            }
        ),
    }


def _plain_service(service: Service) -> dict[str, object]:
    build = service.build and _given(
        {
            "context": service.build.context,
            "dockerfile": service.build.dockerfile,
            "target": service.build.target,
            "args": dict(service.build.args),
        }
    )
    return _given(
        {
            "build": build,
            "image": service.image,
            "command": _listed(service.command),
            "port": service.port,
            "public": service.public,
            "health": _given(
                {"path": service.health.path, "timeout": f"{int(service.health.timeout.total_seconds())}s"}
            ),
            "env": dict(service.env),
            "replicas": service.replicas,
        }
    )


def _given(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
