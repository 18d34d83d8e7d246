"""Parity: what two environments of a blueprint have otherwise, and that it is all there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from previewbot.core.blueprint import PREVIEW, Blueprint, Environment, Resource, Service
from previewbot.core.environments import overridden

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
    one, other = overridden(blueprint, left), overridden(blueprint, right)
    for each, twin in zip(one.services, other.services, strict=True):
        yield from _compared(f"service {each.name}", _of_service(each), _of_service(twin))
    for resource, its_twin in zip(one.resources, other.resources, strict=True):
        yield from _compared(f"resource {resource.name}", _of_resource(resource, left), _of_resource(its_twin, right))


def _compared(of: str, left: Mapping[str, Value], right: Mapping[str, Value]) -> Iterator[Difference]:
    return (Difference(of, parameter, left[parameter], right[parameter]) for parameter in left)


def _of_service(service: Service) -> dict[str, Value]:
    values: dict[str, Value] = {"size": service.size}
    if service.kind.stays:
        values["replicas"] = service.replicas
    if service.schedule is not None:
        values["schedule"] = service.schedule.enabled
    return values


def _of_resource(resource: Resource, environment: Environment) -> dict[str, Value]:
    return {"size": resource.size, "backups": None if environment.name == PREVIEW else resource.backups}
