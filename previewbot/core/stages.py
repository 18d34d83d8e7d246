"""The order in which a release comes up: hooks, what services wait for, and what may be started now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from previewbot.core.blueprint import Kind
from previewbot.core.model import (
    BuildRecord,
    InstanceState,
    ReleaseRecord,
    ReleaseSpec,
    ReleaseState,
    Running,
    ServiceSpec,
)

DESTROY_HOOK = "hook.destroy"
_WELL = (InstanceState.READY, InstanceState.DONE, InstanceState.LAID)


def due(release: ReleaseSpec, running: Running | None, *, served: bool) -> frozenset[str]:
    """Name the services that should be started now.

    A release that once served is put back all at once, without its hooks: those run once. What others changed is
    started again with the rest.
    """
    found = _counts(release, running)
    waits = {} if served else {each.name: each.after for each in release.services}
    wanted = _wanted(release, served=served)
    missing = {
        each.name
        for each in wanted
        if found[each.name] < each.replicas
        and all(_is_well(release, running, name) for name in waits.get(each.name, ()))
    }
    mended = {each.name for each in wanted if found[each.name]} if running and running.drifted else set()
    return frozenset(missing | mended)


def early(release: ReleaseSpec, running: Running | None, images: Collection[str]) -> frozenset[str]:
    """Name the services that should be started while other images of their release are still built.

    Only what does nothing until it is asked comes before it is known that all can be built; where a hook runs first,
    only what is laid does.
    """
    there = [each for each in release.services if each.build is None or each.image in images]
    found = _counts(release, running)
    laid = {each.name for each in there if each.is_laid and not found[each.name]}
    if any(each.hook and not each.is_laid for each in release.services):
        return frozenset(laid)
    return due(release, running, served=False) & {each.name for each in there if each.kind is Kind.WEB} | laid


def is_up(release: ReleaseSpec, running: Running, *, served: bool) -> bool:
    """Whether everything of a release is healthy, or over and ended well."""
    return all(_is_well(release, running, each.name) for each in _wanted(release, served=served))


def start_time(record: ReleaseRecord | None, builds: Iterable[BuildRecord], now: datetime) -> timedelta | None:
    """Say how long a release took to come up: from its first start, but not from before its last image was there.

    ``None`` where it was not started to serve now, as one that served before a newer one did.
    """
    if record is None or record.state is not ReleaseState.STARTING:
        return None
    built = (each.finished_at for each in builds if each.finished_at)
    return max(now - max((record.started_at, *built)), timedelta(0))


def seeded(release: ReleaseSpec, running: Running | None) -> frozenset[str]:
    """Name the volumes that a release has filled by now."""
    jobs = {each.name: each.seeds for each in release.services if each.seeds}
    done = (each.service for each in running.instances if each.state is InstanceState.DONE) if running else ()
    return frozenset(volume for name in done if (volume := jobs.get(name)))


def _wanted(release: ReleaseSpec, *, served: bool) -> Sequence[ServiceSpec]:
    """What should be there: once it served, all but the hooks that ran before it did."""
    return [each for each in release.services if not served or not each.hook or each.is_laid]


def _counts(release: ReleaseSpec, running: Running | None) -> Mapping[str, int]:
    return {each.name: len(running.of(each.name)) if running else 0 for each in release.services}


def _is_well(release: ReleaseSpec, running: Running | None, name: str) -> bool:
    instances = running.of(name) if running else ()
    wanted = next((each.replicas for each in release.services if each.name == name), 0)
    return len(instances) >= wanted and all(each.state in _WELL for each in instances)
