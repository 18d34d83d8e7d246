"""Parity: what two environments of a blueprint have otherwise, and that it is all there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from previewbot.core.blueprint import PREVIEW, Blueprint, Environment, Kind, Override, Resource, Service

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One declared parameter that two environments have otherwise; ``None`` leaves a value to the operator."""

    of: str
    """``service web``, ``resource db``, or ``environment``."""
    parameter: str
    left: Value
    right: Value


def environment_of(blueprint: Blueprint, name: str) -> Environment | None:
    """The environment of a name; that of the previews is there whether or not the file says anything of it."""
    return blueprint.environments.get(name, Environment(name) if name == PREVIEW else None)


def differences(blueprint: Blueprint, left: Environment, right: Environment) -> tuple[Difference, ...]:
    """All that differs between two environments of one commit, in the order of the file.

    An environment can hold nothing but an ``Override`` of each thing and a domain, so there is nothing else to look at.
    """
    return tuple(each for each in _parameters(blueprint, left, right) if each.left != each.right)


def _parameters(blueprint: Blueprint, left: Environment, right: Environment) -> Iterator[Difference]:
    yield Difference("environment", "domain", left.domain, right.domain)
    for service in blueprint.services:
        one, other = (_of_service(service, each.services.get(service.name, Override())) for each in (left, right))
        for parameter in one:
            yield Difference(f"service {service.name}", parameter, one[parameter], other[parameter])
    for resource in blueprint.resources:
        one, other = (_of_resource(resource, each) for each in (left, right))
        for parameter in one:
            yield Difference(f"resource {resource.name}", parameter, one[parameter], other[parameter])


def _of_service(service: Service, override: Override) -> dict[str, Value]:
    values: dict[str, Value] = {"size": override.size or service.size}
    if service.kind.stays:
        values["replicas"] = override.replicas or service.replicas
    if service.kind == Kind.CRON:
        values["schedule"] = override.schedule is not False
    return values


def _of_resource(resource: Resource, environment: Environment) -> dict[str, Value]:
    override = environment.resources.get(resource.name, Override())
    backups = None if environment.name == PREVIEW else override.backups or resource.backups
    return {"size": override.size or resource.size, "backups": backups}
