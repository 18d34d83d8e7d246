"""What a release works with: its resources come up before it, stay beside all that follow, and go after the last.

A resource is replaced in place, since two servers cannot share the files of one. So one is only replaced once
every image is there, and its successor is started when it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from previewbot.core.actions import Action, FailRelease, RemoveRelease, RemoveVolumes, StartRelease
from previewbot.core.desire import Present
from previewbot.core.model import (
    InstanceState,
    Reason,
    ReleaseRecord,
    ReleaseSpec,
    ReleaseState,
    Running,
    State,
    Status,
)
from previewbot.core.situation import Situation


@dataclass(frozen=True, slots=True)
class Supply:
    """What to do for the resources, and why the release has to wait; ``None`` where it need not."""

    actions: tuple[Action, ...]
    status: Status | None


def provide(situation: Situation, present: Present, *, may_replace: bool) -> Supply:
    """Bring every resource that should be there as far as it comes."""
    supplies = [_provide(situation, each, may_replace=may_replace) for each in present.resources]
    statuses = [each.status for each in supplies if each.status]
    worst = next((each for each in statuses if each.state is State.FAILED), next(iter(statuses), None))
    return Supply(tuple(action for each in supplies for action in each.actions), worst)


def _provide(situation: Situation, resource: ReleaseSpec, *, may_replace: bool) -> Supply:
    remembered = situation.remembered(resource.revision)
    waiting = Status(State.STARTING, Reason.RESOURCES_STARTING, situation.now)
    if remembered and remembered.state is ReleaseState.FAILED and not _is_asked_again(situation, remembered):
        return Supply((), _failed(situation, resource, remembered.detail, remembered.lines))
    before = [each for each in _all_of(situation, resource) if each.revision != resource.revision]
    if before:
        return Supply(tuple(RemoveRelease(each.revision) for each in before) if may_replace else (), waiting)
    running = situation.observed.release(resource.revision)
    if running is None or not running.instances or running.drifted:
        return Supply((StartRelease(resource, {}, frozenset(each.name for each in resource.services)),), waiting)
    (instance,) = running.instances[:1]
    if instance.state is InstanceState.READY:
        return Supply((), None)
    if instance.state is not InstanceState.FAILED:
        return Supply((), waiting)
    detail = instance.detail or "is not healthy"
    status = _failed(situation, resource, detail)
    if remembered and _is_asked_again(situation, remembered):
        # It was well before: it keeps its place, and whatever runs it goes on restarting it.
        return Supply((), status)
    return Supply((FailRelease(resource, Reason.RESOURCE_FAILED, instance.service, detail),), status)


def _all_of(situation: Situation, resource: ReleaseSpec) -> list[Running]:
    return [each for each in situation.observed.releases if each.resource == resource.resource]


def _is_asked_again(situation: Situation, remembered: ReleaseRecord) -> bool:
    """Whether a push, or ``/redeploy``, came after it was started."""
    asked = situation.record.triggered_at
    return asked is not None and asked > remembered.triggered_at


def _failed(situation: Situation, resource: ReleaseSpec, detail: str | None, lines: tuple[str, ...] = ()) -> Status:
    about = f"resource **{resource.resource}** {detail or 'does not work'}"
    return Status(State.FAILED, Reason.RESOURCE_FAILED, situation.now, detail=about, lines=lines)


def clear(situation: Situation, present: Present) -> tuple[Action, ...]:
    """Take away what the release that serves alone does not work with: first the servers, then their data."""
    names = {each.resource for each in present.resources}
    unwanted = [each for each in situation.observed.releases if each.resource and each.resource not in names]
    if unwanted:
        return tuple(RemoveRelease(each.revision) for each in unwanted)
    revisions = {each.revision for each in present.resources}
    if any(each.resource and each.revision not in revisions for each in situation.observed.releases):
        return ()
    volumes = situation.observed.volumes - present.volumes
    return (RemoveVolumes(volumes),) if volumes else ()
