"""The next step: from what should be and what is, to at most one action for each thing, and what is true meanwhile.

A plan is not a road. After every step the world is looked at again, so a crash between any two lines is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from previewbot.core import provision, retry, stages
from previewbot.core.actions import (
    Action,
    CancelBuild,
    FailRelease,
    Plan,
    Prepare,
    RemoveRelease,
    Route,
    StartBuild,
    StartRelease,
)
from previewbot.core.desire import Absent, Present, Unchanged
from previewbot.core.model import (
    HookPoint,
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
from previewbot.core.provision import SAFETY_NET
from previewbot.core.removal import removal
from previewbot.core.retirement import retire
from previewbot.core.situation import Situation
from previewbot.core.table import has_failed, line
from previewbot.core.untold import untold

STARTING_LOOK = timedelta(seconds=3)
"""When to look again at a start: it is then worth telling people about."""


def plan(situation: Situation) -> Plan:
    """Decide the next step, and keep the time since when its state holds."""
    match situation.desired:
        case Absent() as absent:
            made = removal(situation, absent)
        case Unchanged() as unchanged:
            made = _unchanged(situation, unchanged)
        case Present() as present:
            made = _present(situation, present)
    return replace(made, status=_since(situation.record.status, made.status))


def _since(before: Status | None, after: Status) -> Status:
    same = before and (before.state, before.reason, before.commit) == (after.state, after.reason, after.commit)
    if before is None or not same:
        return after
    # How long it lived is what it was at its end, however often the end is looked at.
    return replace(after, since=before.since, lived=before.lived or after.lived)


# --- a person must mend something -----------------------------------------------------------------------------------


def _unchanged(situation: Situation, unchanged: Unchanged) -> Plan:
    good = situation.last_good
    status = Status(
        state=State.FAILED,
        reason=unchanged.reason,
        since=situation.now,
        commit=unchanged.commit,
        detail=unchanged.detail,
        flaws=unchanged.flaws,
        last_good=_shown(good),
    )
    cancels = tuple(CancelBuild(image) for image in sorted(situation.building))
    strays = (each for each in situation.observed.releases if not each.resource and not _is(each, good))
    stray = tuple(RemoveRelease(each.revision) for each in strays)
    mended = _mend(situation, good.revision) if good else ()
    return Plan((*cancels, *mended, *_put_back(situation, good), *_keep_routes(situation, good), *stray), status)


def _mend(situation: Situation, revision: str) -> tuple[Action, ...]:
    """Put back what somebody changed around the releases, and bring up to date what nobody did."""
    observed = situation.observed
    return (Prepare(revision),) if observed.drifted or observed.outdated else ()


def _put_back(situation: Situation, good: ReleaseRecord | None) -> tuple[Action, ...]:
    """Put back what somebody changed or deleted of a release that goes on serving beside a newer one."""
    if good is None or good.spec is None:
        return ()
    due = stages.due(good.spec, situation.observed.release(good.revision), served=True)
    return (StartRelease(good.spec, good.digests, due),) if due else ()


def _shown(good: ReleaseRecord | None) -> ReleaseRecord | None:
    """What people are told of a release needs nothing of how it is made."""
    return replace(good, spec=None, digests={}) if good else None


def _is(running: Running, release: ReleaseRecord | None) -> bool:
    return release is not None and running.revision == release.revision


# --- a release should run -------------------------------------------------------------------------------------------


def _present(situation: Situation, present: Present) -> Plan:
    release = present.release
    wanted = {order.image for order in present.orders}
    cancels = tuple(CancelBuild(image) for image in sorted(situation.building) if image not in wanted)
    missing = sorted(wanted - situation.digests.keys())
    supply = provision.provide(situation, present, may_replace=not missing)
    made = _build(situation, present, missing) if missing else _supplied(situation, release, supply)
    if made.status.state is State.BUILDING and supply.status is None:
        made = replace(made, actions=(*made.actions, *_early(situation, release)))
    good = situation.superseding(release)
    shown = _quietly(situation, release)
    kept = () if any(isinstance(each, Route) for each in made.actions) else _keep_routes(situation, good)
    stale = retire(situation, present, is_given_up=made.status.reason in _BUILD_FAILURES)
    services = tuple(line(shown, release, service) for service in release.services if not service.hook)
    status = replace(made.status, commit=release.commit, services=services, last_good=_shown(good))
    mended = () if any(isinstance(each, Prepare) for each in made.actions) else _mend(situation, release.revision)
    actions = (*cancels, *mended, *supply.actions, *made.actions, *_put_back(situation, good), *kept, *stale.actions)
    return Plan(actions, status, _sooner(made.recheck, stale.recheck))


def _supplied(situation: Situation, release: ReleaseSpec, supply: provision.Supply) -> Plan:
    """A release comes after everything that it works with."""
    if supply.status is None:
        return _release(situation, release)
    return Plan((), supply.status, supply.recheck)


def _sooner(*times: timedelta | None) -> timedelta | None:
    return min((each for each in times if each is not None), default=None)


def _build(situation: Situation, present: Present, missing: Sequence[str]) -> Plan:
    failed = next(
        (build for image in missing if (build := situation.builds.get(image)) and has_failed(situation, build)), None
    )
    if failed:
        reason = Reason.BUILD_TIMED_OUT if failed.timed_out else Reason.BUILD_FAILED
        status = Status(State.FAILED, reason, situation.now, log=failed.log, lines=failed.lines)
        where = f", at {failed.step}" if failed.step else ""
        return Plan((), replace(status, detail=f"service **{failed.service}**{where}"))
    orders = {order.image: order for order in present.orders}
    starts = tuple(StartBuild(orders[image]) for image in missing if image not in situation.building)
    prepare = (Prepare(present.release.revision, present.release.services),) if starts else ()
    log = next((situation.building[image].log for image in missing if image in situation.building), None)
    status = Status(State.BUILDING, Reason.IMAGES_BUILDING, situation.now, log=log)
    return Plan((*prepare, *starts), status, SAFETY_NET)


_BUILD_FAILURES = (Reason.BUILD_FAILED, Reason.BUILD_TIMED_OUT)


def _early(situation: Situation, release: ReleaseSpec) -> tuple[Action, ...]:
    """Start what needs none of the images that are still built; a release that serves or failed is left as it is."""
    remembered = situation.remembered(release.revision)
    if remembered and remembered.state in (ReleaseState.SERVING, ReleaseState.FAILED):
        return ()
    ready = stages.early(release, situation.observed.release(release.revision), situation.digests.keys())
    return (StartRelease(release, situation.digests, ready),) if ready else ()


def _release(situation: Situation, release: ReleaseSpec) -> Plan:
    remembered = situation.remembered(release.revision)
    running = situation.observed.release(release.revision)
    # Whatever is left of an earlier try goes first.
    if (
        remembered
        and remembered.state is ReleaseState.FAILED
        and (running or not retry.is_due(remembered, situation.now))
    ):
        return Plan((), _failed(situation, release, remembered), retry.pause(remembered, situation.now))
    served = remembered is not None and remembered.state is ReleaseState.SERVING
    broken = next((each for each in running.instances if each.state is InstanceState.FAILED), None) if running else None
    if broken and not served:
        return _broken(situation, release, broken, remembered)
    due = stages.due(release, running, served=served)
    if due:
        start = StartRelease(release, situation.digests, due)
        return Plan((start,), _starting(situation, release), _look_again(situation))
    if broken:
        return _broken(situation, release, broken, remembered)
    if running is None or not stages.is_up(release, running, served=served):
        return Plan((), _starting(situation, release), _look_again(situation))
    return _serve(situation, release, running, remembered)


def _quietly(situation: Situation, release: ReleaseSpec) -> Situation:
    """What people are shown while a release is tried again by itself: nothing of it, until that has worked."""
    if not retry.is_under_way(situation.remembered(release.revision)):
        return situation
    others = tuple(each for each in situation.observed.releases if each.revision != release.revision)
    return replace(situation, observed=replace(situation.observed, releases=others))


def _starting(situation: Situation, release: ReleaseSpec) -> Status:
    remembered = situation.remembered(release.revision)
    if remembered and (retry.is_under_way(remembered) or remembered.state is ReleaseState.FAILED):
        return _failed(situation, release, remembered)
    running = situation.observed.release(release.revision)
    hooks = [each.name for each in release.services if each.hook]
    reason = Reason.RELEASE_STARTING
    if running and any(each.state is InstanceState.STARTING for name in hooks for each in running.of(name)):
        reason = Reason.HOOK_RUNNING
    return Status(State.STARTING, reason, situation.now)


def _look_again(situation: Situation) -> timedelta:
    before = situation.record.status
    if before is not None and before.state is State.FAILED:
        return SAFETY_NET
    known = before is not None and before.state is State.STARTING and situation.now - before.since > STARTING_LOOK
    return SAFETY_NET if known else STARTING_LOOK


def _failed(situation: Situation, release: ReleaseSpec, remembered: ReleaseRecord) -> Status:
    """What is told of a release that was given up, also while it is tried again by itself."""
    spec = next((each for each in release.services if each.name == remembered.service), None)
    return Status(
        State.FAILED,
        Reason(remembered.reason or Reason.UNHEALTHY),
        situation.now,
        detail=_about(remembered.service, remembered.detail),
        lines=remembered.lines,
        log=remembered.log,
        untold=untold(remembered.lines, spec) if spec else None,
    )


def _about(service: str | None, detail: str | None) -> str:
    """``service **web** exits with code 1``; ``release hook exits with code 1``; ``seed of db exits with code 1``."""
    point, dot, resource = (service or "").partition(".")
    name = f"service **{service}**" if service else ""
    if dot:
        name = f"seed of {resource}" if point == HookPoint.SEED else "release hook"
    return " ".join(part for part in (name, detail or "") if part)


def _broken(situation: Situation, release: ReleaseSpec, broken: Instance, remembered: ReleaseRecord | None) -> Plan:
    detail = broken.detail or "is not healthy"
    reason = broken.reason or (Reason.CRASHED if "exit" in detail or "killed" in detail else Reason.UNHEALTHY)
    if reason not in retry.PASSING and any(each.hook for each in release.services if each.name == broken.service):
        reason = Reason.HOOK_FAILED
    status = Status(State.FAILED, reason, situation.now, detail=_about(broken.service, detail))
    if remembered and remembered.state is ReleaseState.SERVING:
        # It was healthy before: it keeps its place and its engine goes on restarting it.
        return Plan((), status, SAFETY_NET)
    return Plan((FailRelease(release, reason, broken.service, detail),), status)


def _serve(situation: Situation, release: ReleaseSpec, running: Running, remembered: ReleaseRecord | None) -> Plan:
    hosts = {service.host: service.name for service in release.services if service.host}
    routes = {host: _addresses(running, name) for host, name in hosts.items()}
    serving = remembered is not None and remembered.state is ReleaseState.SERVING
    if dict(situation.observed.routes) != routes or not serving:
        status = Status(State.STARTING, Reason.RELEASE_STARTING, situation.now)
        return Plan((Route(routes, release),), status, SAFETY_NET)
    status = Status(State.READY, Reason.SERVING, situation.now, log=remembered.log if remembered else None)
    if remembered and remembered.served_at:
        took = (remembered.served_at - remembered.triggered_at).total_seconds()
        redeploy = situation.record.redeploy
        is_asked_for = redeploy is not None and redeploy.commit == release.commit
        status = replace(status, seconds=max(took, 0.0), is_asked_for=is_asked_for)
    if remembered and remembered.took is not None:
        status = replace(status, start_seconds=remembered.took.total_seconds())
    return Plan((), status)


def _addresses(running: Running, service: str) -> tuple[str, ...]:
    return tuple(sorted({each.address for each in running.of(service) if each.address}))


def _keep_routes(situation: Situation, good: ReleaseRecord | None) -> tuple[Action, ...]:
    """Mend the routes of a release that goes on serving: its addresses change when the engine restarts."""
    running = situation.observed.release(good.revision) if good else None
    if good is None or running is None:
        return ()
    hosts = {host: name for name, host in situation.record.hosts.items() if name in good.urls}
    routes = {host: found for host, name in hosts.items() if (found := _addresses(running, name))}
    return () if dict(situation.observed.routes) == routes else (Route(routes),)
