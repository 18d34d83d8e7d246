"""``previewbot.yaml`` to a blueprint, or to all its flaws with their places; and its published schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from previewbot.core.blueprint import Blueprint, Build, Filters, Flaw, Health, Service
from previewbot.wire import dockerfile
from previewbot.wire.blueprint_flaws import contradictions, empties, translate
from previewbot.wire.blueprint_shape import BlueprintShape, HealthShape, ServiceShape
from previewbot.wire.blueprint_text import render
from previewbot.wire.yaml_source import Document, Path, load

__all__ = ["from_dockerfile", "parse", "render", "schema", "schema_text"]

_DEFAULT_PORT = 8080
_MOST_FLAWS = 50
"""Nobody reads more than these at once."""


def parse(raw: bytes, *, file: str = "previewbot.yaml", fallback_app: str) -> Blueprint | tuple[Flaw, ...]:
    """Read a blueprint; any bytes at all are one, or a non-empty tuple of flaws in the order of their places.

    ``fallback_app`` is the app's name where the file gives none: a slug.
    """
    document = load(raw, file)
    if not isinstance(document.value, dict):
        return tuple(document.flaws) or (_no_mapping(document),)
    flaws = [*document.flaws, *empties(document), *contradictions(document)]
    try:
        shape = BlueprintShape.model_validate(document.value)
    except ValidationError as error:
        faults = [each for each in error.errors(include_url=False) if each["input"] is not None]
        flaws += [translate(document, each) for each in faults[:_MOST_FLAWS]]
    if flaws:
        return tuple(sorted(set(flaws), key=lambda flaw: (flaw.line, flaw.column, flaw.problem)))[:_MOST_FLAWS]
    return _translate(document, shape, fallback_app)


def _no_mapping(document: Document) -> Flaw:
    problem = "the file is empty" if document.value is None else "the file must be keys and values"
    return document.flaw((), problem, "begin with `version: 1` and `services:`")


def from_dockerfile(raw: bytes, *, app: str) -> Blueprint:
    """Make the blueprint of a repository that has only a ``Dockerfile``: one public service, ``web``.

    Its port is the one exposed, else 8080; like every service's, it stands in its variable ``PORT``.
    """
    port = dockerfile.exposed_port(raw) or _DEFAULT_PORT
    return Blueprint(app, (Service("web", build=Build(), port=port, public=True),))


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
    health = shape.health or HealthShape()
    timeout = health.timeout or Health().timeout
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
        health=Health(health.path, timeout),
        env=_as_written(document, (*path, "env"), shape.env),
        replicas=shape.replicas,
    )


def _as_written(document: Document, path: Path, values: Mapping[str, object]) -> dict[str, str]:
    """Keep ``1.10`` what the user typed, and not what a number becomes."""
    return {name: document.written[*path, name] for name in values}


# --- the published schema -------------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors: whatever it refuses, ``parse`` refuses too."""
    made = _tidy(BlueprintShape.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "previewbot.yaml"}


def schema_text() -> str:
    """The JSON Schema as ``config/blueprint.schema.json`` holds it."""
    return json.dumps(schema(), indent=2) + "\n"


def _tidy(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what helps nobody who edits a file: titles, and that a key may be null instead of absent."""
    if isinstance(node, list):
        return [_tidy(each) for each in node if each != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    made = {name: _tidy(each) for name, each in node.items() if not (name == "title" and isinstance(each, str))}
    if made.get("default") is None or isinstance(made["default"], dict):
        made.pop("default", None)
    if len(made.get("anyOf", ())) == 1:
        made |= made.pop("anyOf")[0]
    if "patternProperties" in made:
        ((pattern, value),) = made.pop("patternProperties").items()
        made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
    return made
