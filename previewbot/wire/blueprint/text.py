"""A blueprint as YAML with every default in it, as ``previewbot validate`` shows it."""

from __future__ import annotations

import io

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from previewbot.core.blueprint import Blueprint, Service


def render(blueprint: Blueprint) -> str:
    """Write a blueprint as YAML; ``parse`` reads the same blueprint back."""
    out = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 4096  # no text is broken over lines
    writer.dump(_quoted(_plain(blueprint)), out)
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
