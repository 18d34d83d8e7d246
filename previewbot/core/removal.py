"""The end of an environment: the destroy hook first, then all that is there, and what was kept for it last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from previewbot.core.actions import Action, BidFarewell, CancelBuild, DeleteEnvironment, ForgetSecrets, Plan, Route
from previewbot.core.desire import Absent
from previewbot.core.model import InstanceState, Reason, State, Status
from previewbot.core.provision import SAFETY_NET
from previewbot.core.situation import Situation
from previewbot.core.stages import DESTROY_HOOK


def removal(situation: Situation, absent: Absent) -> Plan:
    """Decide the next step towards nothing, and say why it should be so."""
    cancels = tuple(CancelBuild(image) for image in sorted(situation.building))
    status = Status(
        state=State.GONE if absent.is_final else State.SKIPPED,
        reason=absent.reason,
        since=situation.now,
        detail=absent.detail,
        commit=situation.record.commit,
        removed=situation.record.removed if situation.record.created_at or situation.record.removed.total else None,
        lived=situation.lived(),
        commits=situation.record.commits,
        log=situation.record.last_words,
        parting=situation.record.parting,
    )
    if situation.observed.is_empty and not cancels and situation.record.keeps_secrets:
        # Last: what still ran could still have used them.
        before = situation.record.status
        is_told = before is not None and before.state is State.GONE
        removing = status if is_told else replace(status, state=State.REMOVING, reason=Reason.TEARING_DOWN)
        return Plan((ForgetSecrets(),), removing, SAFETY_NET)
    if situation.observed.is_empty and not cancels:
        return Plan((), status)
    if (farewell := _farewell(situation)) is not None:
        removing = replace(status, state=State.REMOVING, reason=Reason.TEARING_DOWN, removed=None)
        return Plan((*cancels, *farewell), removing, SAFETY_NET)
    # What is ending already only needs time.
    removal: tuple[Action, ...] = (DeleteEnvironment(),) if situation.observed.remains else ()
    if situation.observed.routes:
        removal = (Route({}), *removal)
    overdue = "; ".join(each for each in situation.observed.ending if " " in each)
    removing = replace(status, state=State.REMOVING, reason=Reason.TEARING_DOWN, removed=None, detail=overdue or None)
    return Plan((*cancels, *removal), removing, SAFETY_NET)


_LONGEST_FAREWELL = timedelta(minutes=65)
"""A hook may take an hour and is ended then; whatever becomes of that, the deletion goes on after this."""


def _farewell(situation: Situation) -> tuple[Action, ...] | None:
    """Run the destroy hook of what served last; ``None`` where there is none, or it is over, or its time is up."""
    good, begun = situation.last_good, situation.record.farewell
    running = situation.observed.release(good.revision) if good else None
    if running is None or (begun and situation.now - begun > _LONGEST_FAREWELL):
        return None
    laid = [each for each in running.instances if each.service == DESTROY_HOOK and each.state is InstanceState.LAID]
    runs = [each for each in running.runs if each.service == DESTROY_HOOK]
    if not laid or any(each.state is not InstanceState.STARTING for each in runs):
        return None
    unrouted: tuple[Action, ...] = (Route({}),) if situation.observed.routes else ()
    return unrouted if runs else (*unrouted, BidFarewell(running.revision, DESTROY_HOOK))
