"""When older releases go: the one that serves once its successor has drained it, any other at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core import provision
from previewbot.core.actions import Action, RemoveRelease
from previewbot.core.desire import Present
from previewbot.core.model import ReleaseRecord, ReleaseState
from previewbot.core.situation import Situation


@dataclass(frozen=True, slots=True)
class Retirement:
    """What to take away now, and when the next look is worth it."""

    actions: tuple[Action, ...] = ()
    recheck: timedelta | None = None


def retire(situation: Situation, present: Present, *, is_given_up: bool) -> Retirement:
    """Take older releases away: the one that serves once its successor has drained it, any other at once.

    So does what had come up of one whose images cannot be built. What only they worked with goes last.
    """
    release = present.release
    good = situation.superseding(release)
    current = situation.remembered(release.revision)
    served = current is not None and current.state is ReleaseState.SERVING
    has_failed = (current is not None and current.state is ReleaseState.FAILED) or (is_given_up and not served)
    kept = {each.revision for each in (good, None if has_failed else release) if each}
    apps = [each.revision for each in situation.observed.releases if not each.resource]
    others = [each for each in apps if each not in kept]
    drained = _drained_at(situation, current)
    if drained is None:
        return Retirement(tuple(RemoveRelease(each) for each in others))
    waiting = {each.revision for each in situation.releases if each.state is ReleaseState.SERVING}
    if situation.now >= drained:
        waiting = set()
    actions = tuple(RemoveRelease(each) for each in others if each not in waiting)
    if others:
        return Retirement(actions, drained - situation.now if waiting & set(others) else None)
    return Retirement(provision.clear(situation, present))


def _drained_at(situation: Situation, current: ReleaseRecord | None) -> datetime | None:
    if current is None or current.state is not ReleaseState.SERVING or current.served_at is None:
        return None
    return current.served_at + situation.drain
