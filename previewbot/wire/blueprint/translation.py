"""From the shape of a file without flaws to core's facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from previewbot.core.blueprint import (
    Blueprint,
    Build,
    Environment,
    Filters,
    Health,
    Hook,
    Hooks,
    Kind,
    Override,
    Resource,
    Schedule,
    Secret,
    Service,
)
from previewbot.core.references import secrets_needed
from previewbot.wire.blueprint.outline import Outline
from previewbot.wire.blueprint.shape import BlueprintShape, EnvironmentShape, PreviewsShape
from previewbot.wire.blueprint.shape_parts import HealthShape, HookShape, ResourceShape, ServiceShape
from previewbot.wire.yaml_source import Document, Path


def to_core(document: Document, outline: Outline, shape: BlueprintShape, *, fallback_app: str) -> Blueprint:
    """Translate a shape that was found without flaws; scalars are taken as the document has them."""
    services = tuple(_service(document, outline, name, service) for name, service in shape.services.items())
    hooks = Hooks(_hook(shape.hooks.release), _hook(shape.hooks.destroy))
    resources = tuple(_resource(document, name, resource) for name, resource in shape.resources.items())
    made = Blueprint(
        app=shape.app or fallback_app,
        services=services,
        previews=_filters(shape.previews),
        resources=resources,
        hooks=hooks,
        environments={name: _environment(name, each) for name, each in shape.environments.items()},
    )
    named = {secret for names in secrets_needed(made).values() for secret in names}
    return replace(made, secrets=_secrets(shape, named))


def _filters(shape: PreviewsShape) -> Filters:
    return Filters(
        drafts=shape.drafts,
        label=shape.label,
        label_required=shape.label_required,
        exclude_label=shape.exclude_label,
        branches=None if shape.branches is None else tuple(shape.branches),
        paths=None if shape.paths is None else tuple(shape.paths),
    )


def _service(document: Document, outline: Outline, name: str, shape: ServiceShape) -> Service:
    path = ("services", name)
    kind = outline.kind(name) or Kind.WEB
    build = None
    if shape.build:
        args = _as_written(document, (*path, "build", "args"), shape.build.args)
        of = shape.build
        build = Build(of.context, of.dockerfile, of.target, args, tuple(dict.fromkeys(of.secrets)))
    made = Service(
        name=name,
        build=build,
        image=shape.image,
        command=tuple(shape.command) if shape.command else None,
        port=shape.port,
        public=outline.is_public(name),
        health=_health(shape.health or HealthShape()),
        env=_as_written(document, (*path, "env"), shape.env),
        replicas=shape.replicas,
        kind=kind,
        size=shape.size,
        depends_on=tuple(shape.depends_on),
        secrets=tuple(shape.secrets),
        volumes=dict(shape.volumes),
        schedule=_schedule(shape),
    )
    return replace(made, timeout=shape.timeout) if shape.timeout else made


def _health(shape: HealthShape) -> Health:
    command = tuple(shape.command) if shape.command else None
    return Health(shape.path, shape.timeout or Health().timeout, command)


def _schedule(shape: ServiceShape) -> Schedule | None:
    if not shape.schedule:
        return None
    return Schedule(shape.schedule, shape.timezone, shape.concurrency, shape.history)


def _hook(shape: HookShape | None) -> Hook | None:
    if not shape:
        return None
    made = Hook(shape.service, tuple(shape.command))
    return Hook(made.service, made.command, shape.timeout) if shape.timeout else made


def _resource(document: Document, name: str, shape: ResourceShape) -> Resource:
    version = document.written.get(("resources", name, "version"))
    return Resource(name, shape.type, version, shape.size, _hook(shape.seed), shape.backups)


def _secrets(shape: BlueprintShape, named: set[str]) -> tuple[Secret, ...]:
    said = {} if isinstance(shape.secrets, list) else shape.secrets
    every = sorted({*shape.secrets, *named})
    return tuple(Secret(name, said[name].generate if name in said else None) for name in every)


def _environment(name: str, shape: EnvironmentShape) -> Environment:
    services = {
        service: Override(size=each.size, replicas=each.replicas, schedule=each.schedule)
        for service, each in shape.services.items()
    }
    resources = {resource: Override(size=each.size, backups=each.backups) for resource, each in shape.resources.items()}
    return Environment(name, shape.domain, services, resources)


def _as_written(document: Document, path: Path, values: Mapping[str, object]) -> dict[str, str]:
    """Keep ``1.10`` what the user typed, and not what a number becomes."""
    return {name: document.written[*path, name] for name in values}
