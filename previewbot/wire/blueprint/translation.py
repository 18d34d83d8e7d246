"""From the shape of a file without flaws to core's facts."""

from __future__ import annotations

from collections.abc import Mapping

from previewbot.core.blueprint import Blueprint, Build, Filters, Health, Service
from previewbot.wire.blueprint.shape import BlueprintShape, HealthShape, ServiceShape
from previewbot.wire.yaml_source import Document, Path


def to_core(document: Document, shape: BlueprintShape, fallback_app: str) -> Blueprint:
    """Translate a shape that was found without flaws; scalars are taken as the document has them."""
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
