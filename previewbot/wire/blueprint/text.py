"""A blueprint as YAML with every default in it, as ``previewbot validate`` shows it."""

from __future__ import annotations

import dataclasses
import io
from datetime import timedelta

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from previewbot.core.blueprint import Blueprint, Environment, Health, Hook, Override, Resource, Schedule, Service


def render(blueprint: Blueprint) -> str:
    """Write a blueprint as YAML; ``parse`` reads the same blueprint back."""
    return dump(_plain(blueprint))


def dump(value: object) -> str:
    """Write plain values as YAML, no text broken over lines."""
    out = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 4096
    writer.dump(_quoted(value), out)
    return out.getvalue()


def _quoted(value: object) -> object:
    """Put odd characters between double quotes, where alone YAML can escape them."""
    match value:
        case dict():
            return {name: _quoted(each) for name, each in value.items()}
        case list():
            return [_quoted(each) for each in value]
        case str() if not value.isprintable():
            return DoubleQuotedScalarString(value)
        case _:
            return value


def _plain(blueprint: Blueprint) -> dict[str, object]:
    environments = {name: _plain_environment(each) for name, each in blueprint.environments.items()}
    return {
        "version": 1,
        "app": blueprint.app,
        "services": {service.name: _plain_service(service) for service in blueprint.services},
        **_filled(
            {
                "resources": {resource.name: _plain_resource(resource) for resource in blueprint.resources},
                "secrets": {secret.name: _given({"generate": secret.generate}) for secret in blueprint.secrets},
                "hooks": _given(
                    {"release": _plain_hook(blueprint.hooks.release), "destroy": _plain_hook(blueprint.hooks.destroy)}
                ),
                "environments": environments,
            }
        ),
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
            "secrets": list(service.build.secrets),
        }
    )
    return _given(
        {
            "kind": service.kind.value,
            "build": build,
            "image": service.image,
            "command": _listed(service.command),
            "port": service.port,
            "public": service.public,
            "health": _plain_health(service.health) if service.kind.stays else None,
            "size": service.size,
            "env": dict(service.env),
            "replicas": service.replicas if service.kind.stays else None,
            **_filled(
                {
                    "depends_on": list(service.depends_on),
                    "secrets": list(service.secrets),
                    "volumes": dict(service.volumes),
                }
            ),
            **(_plain_schedule(service.schedule) if service.schedule else {}),
            **({} if service.kind.stays else {"timeout": _seconds(service.timeout)}),
        }
    )


def _plain_health(health: Health) -> dict[str, object]:
    return _given({"path": health.path, "command": _listed(health.command), "timeout": _seconds(health.timeout)})


def _plain_schedule(schedule: Schedule) -> dict[str, object]:
    return {
        "schedule": schedule.cron,
        "timezone": schedule.timezone,
        "concurrency": schedule.concurrency.value,
        "history": schedule.history,
    }


def _plain_resource(resource: Resource) -> dict[str, object]:
    return _given(
        {
            "type": resource.type.value,
            "version": resource.version,
            "size": resource.size,
            "backups": resource.backups,
            "seed": _plain_hook(resource.seed),
        }
    )


def _plain_hook(hook: Hook | None) -> dict[str, object] | None:
    if not hook:
        return None
    return {"service": hook.service, "command": list(hook.command), "timeout": _seconds(hook.timeout)}


def _plain_environment(environment: Environment) -> dict[str, object]:
    return _given({"domain": environment.domain}) | _filled(
        {
            "services": {name: _plain_override(each) for name, each in environment.services.items()},
            "resources": {name: _plain_override(each) for name, each in environment.resources.items()},
        }
    )


def _plain_override(override: Override) -> dict[str, object]:
    return _given(dataclasses.asdict(override))


def _seconds(length: timedelta) -> str:
    return f"{int(length.total_seconds())}s"


def _given(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _filled(values: dict[str, object]) -> dict[str, object]:
    """Leave out what is empty: most apps have little of it."""
    return {name: value for name, value in values.items() if value}


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
