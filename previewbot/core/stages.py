"""The order in which a release comes up: hooks, what services wait for, and what may be started now."""

from __future__ import annotations

from collections.abc import Mapping

from previewbot.core.blueprint import Health, Hook, Kind
from previewbot.core.model import HookPoint, InstanceState, ReleaseSpec, Running, ServiceSpec

DESTROY_HOOK = "hook.destroy"
_WELL = (InstanceState.READY, InstanceState.DONE, InstanceState.LAID)


def hook(name: str, point: HookPoint, wanted: Hook, of: ServiceSpec) -> ServiceSpec:
    """The job that a hook is: a command in the image and with the variables of a service, and nobody calls it."""
    return ServiceSpec(
        name=name,
        image=of.image,
        build=of.build,
        command=wanted.command,
        port=None,
        host=None,
        health=Health(timeout=wanted.timeout),
        env=of.env,
        replicas=1,
        kind=Kind.JOB,
        hook=point,
        size=of.size,
        sealed=of.sealed,
        volumes=of.volumes,
        needs=of.needs,
    )


def due(release: ReleaseSpec, running: Running | None, *, served: bool) -> frozenset[str]:
    """Name the services that should be started now.

    A release that once served is put back all at once, without its hooks: those run once. What others changed is
    started again with the rest.
    """
    found = _counts(release, running)
    waits = {} if served else {each.name: each.after for each in release.services}
    wanted = [each for each in release.services if not (served and each.hook and not each.is_laid)]
    missing = {
        each.name
        for each in wanted
        if found[each.name] < each.replicas
        and all(_is_well(release, running, name) for name in waits.get(each.name, ()))
    }
    mended = {each.name for each in wanted if found[each.name]} if running and running.drifted else set()
    return frozenset(missing | mended)


def is_up(release: ReleaseSpec, running: Running, *, served: bool) -> bool:
    """Whether everything of a release is healthy, or over and ended well."""
    return all(
        _is_well(release, running, each.name)
        for each in release.services
        if not (served and each.hook and not each.is_laid)
    )


def seeded(release: ReleaseSpec, running: Running | None) -> frozenset[str]:
    """Name the volumes that a release has filled by now."""
    jobs = {each.name: each.seeds for each in release.services if each.seeds}
    done = (each.service for each in running.instances if each.state is InstanceState.DONE) if running else ()
    return frozenset(volume for name in done if (volume := jobs.get(name)))


def _counts(release: ReleaseSpec, running: Running | None) -> Mapping[str, int]:
    return {each.name: len(running.of(each.name)) if running else 0 for each in release.services}


def _is_well(release: ReleaseSpec, running: Running | None, name: str) -> bool:
    instances = running.of(name) if running else ()
    wanted = next((each.replicas for each in release.services if each.name == name), 0)
    return len(instances) >= wanted and all(each.state in _WELL for each in instances)
