"""What a release works with: its resources come up before it, stay beside all that follow, and go after the last.

A resource is replaced in place, since two servers cannot share the files of one. So one is only replaced once
every image is there, and its successor is started when it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from previewbot.core import retry
from previewbot.core.actions import Action, FailRelease, RemoveRelease, RemoveVolumes, StartRelease
from previewbot.core.desire import Present
from previewbot.core.model import (
    Instance,
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

SAFETY_NET = timedelta(seconds=15)
"""When to look again at something that should have woken us by itself."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What to do for the resources, and why the release has to wait; ``None`` where it need not."""

    actions: tuple[Action, ...]
    status: Status | None
    recheck: timedelta | None = SAFETY_NET
    """When to look again by itself, while the release waits."""


def provide(situation: Situation, present: Present, *, may_replace: bool) -> Supply:
    """Bring every resource that should be there as far as it comes."""
    supplies = [_provide(situation, each, may_replace=may_replace) for each in present.resources]
    statuses = [each.status for each in supplies if each.status]
    worst = next((each for each in statuses if each.state is State.FAILED), next(iter(statuses), None))
    rechecks = [each.recheck for each in supplies if each.status and each.recheck is not None]
    return Supply(tuple(action for each in supplies for action in each.actions), worst, min(rechecks, default=None))


def _provide(situation: Situation, resource: ReleaseSpec, *, may_replace: bool) -> Supply:
    remembered = situation.remembered(resource.revision)
    if remembered and _is_given_up(situation, remembered):
        return Supply((), _failed(situation, resource, remembered), retry.pause(remembered, situation.now))
    waiting = _waiting(situation, resource, remembered)
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
    return _broken(situation, resource, instance, remembered)


def _is_given_up(situation: Situation, remembered: ReleaseRecord) -> bool:
    is_over = remembered.state is ReleaseState.FAILED
    return is_over and not _is_asked_again(situation, remembered) and not retry.is_due(remembered, situation.now)


def _waiting(situation: Situation, resource: ReleaseSpec, remembered: ReleaseRecord | None) -> Status:
    """What is told while a resource comes up: of one that is tried again by itself, what hindered it last."""
    if remembered and (retry.is_under_way(remembered) or retry.is_due(remembered, situation.now)):
        return _failed(situation, resource, remembered)
    return Status(State.STARTING, Reason.RESOURCES_STARTING, situation.now)


def _broken(
    situation: Situation, resource: ReleaseSpec, instance: Instance, remembered: ReleaseRecord | None
) -> Supply:
    reason = instance.reason if instance.reason in retry.PASSING else Reason.RESOURCE_FAILED
    detail = instance.detail or "is not healthy"
    status = Status(State.FAILED, reason, situation.now, detail=_about(resource, detail))
    if remembered and _is_asked_again(situation, remembered):
        # It was well before: it keeps its place, and whatever runs it goes on restarting it.
        return Supply((), status)
    return Supply((FailRelease(resource, reason, instance.service, detail),), status)


def _all_of(situation: Situation, resource: ReleaseSpec) -> list[Running]:
    return [each for each in situation.observed.releases if each.resource == resource.resource]


def _is_asked_again(situation: Situation, remembered: ReleaseRecord) -> bool:
    """Whether a push, or ``/redeploy``, came after it was started."""
    asked = situation.record.triggered_at
    return asked is not None and asked > remembered.triggered_at


def _failed(situation: Situation, resource: ReleaseSpec, remembered: ReleaseRecord) -> Status:
    reason = next((each for each in retry.PASSING if each == remembered.reason), Reason.RESOURCE_FAILED)
    about = _about(resource, remembered.detail)
    return Status(State.FAILED, reason, situation.now, detail=about, lines=remembered.lines)


def _about(resource: ReleaseSpec, detail: str | None) -> str:
    return f"resource **{resource.resource}** {detail or 'does not work'}"


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
