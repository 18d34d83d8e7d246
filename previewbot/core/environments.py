"""An app as one of its environments has it: the blueprint with the declared differences, and no other."""

from __future__ import annotations

from dataclasses import replace

from previewbot.core.blueprint import Blueprint, Environment, Override, Resource, Service

_NONE = Override()


def apply(blueprint: Blueprint, environment: str) -> Blueprint:
    """The blueprint as it holds for an environment; one that declares nothing is as everywhere."""
    declared = blueprint.environments.get(environment)
    return overridden(blueprint, declared) if declared else blueprint


def overridden(blueprint: Blueprint, declared: Environment) -> Blueprint:
    """The blueprint with what an environment declares."""
    services = tuple(_service(each, declared.services.get(each.name, _NONE)) for each in blueprint.services)
    resources = tuple(_resource(each, declared.resources.get(each.name, _NONE)) for each in blueprint.resources)
    return replace(blueprint, services=services, resources=resources)


def _service(service: Service, override: Override) -> Service:
    schedule = service.schedule
    if schedule is not None and override.schedule is not None:
        schedule = replace(schedule, enabled=override.schedule)
    return replace(
        service,
        size=override.size if override.size is not None else service.size,
        replicas=override.replicas if override.replicas is not None else service.replicas,
        schedule=schedule,
    )


def _resource(resource: Resource, override: Override) -> Resource:
    return replace(
        resource,
        size=override.size if override.size is not None else resource.size,
        backups=override.backups if override.backups is not None else resource.backups,
    )
