"""When a release that was given up is tried again by itself: where the world may mend what hindered it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from previewbot.core.model import Reason, ReleaseRecord, ReleaseState

PASSING = frozenset({Reason.IMAGE_UNAVAILABLE, Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED})
"""What may pass though nobody pushes: a registry comes back, a node joins, another preview goes."""

_PAUSES = tuple(timedelta(seconds=each) for each in (30, 60, 120, 300))
"""How long to wait after each try; the last one holds for all that follow."""


def again_at(release: ReleaseRecord) -> datetime | None:
    """Say when a release that failed is tried again; ``None`` where only a push, or ``/redeploy``, can help it."""
    if release.state is not ReleaseState.FAILED or not may_pass(release) or release.failed_at is None:
        return None
    return release.failed_at + _PAUSES[min(max(release.tries, 1), len(_PAUSES)) - 1]


def is_due(release: ReleaseRecord, now: datetime) -> bool:
    """Whether a release that failed is to be tried again now."""
    at = again_at(release)
    return at is not None and now >= at


def pause(release: ReleaseRecord, now: datetime) -> timedelta | None:
    """Say how long it is until a release that failed is tried again."""
    at = again_at(release)
    return None if at is None else max(at - now, timedelta(0))


def is_under_way(release: ReleaseRecord | None) -> bool:
    """Whether a release is just being tried again: until that is over, people are told what hindered it last."""
    return release is not None and release.state is ReleaseState.STARTING and release.tries > 0 and may_pass(release)


def remember(begun: ReleaseRecord, before: ReleaseRecord | None) -> ReleaseRecord:
    """Let a release that is tried again keep what hindered it until it has come up."""
    if before is None or before.state not in (ReleaseState.FAILED, ReleaseState.STARTING) or not may_pass(before):
        return begun
    kept = replace(begun, reason=before.reason, service=before.service, detail=before.detail, lines=before.lines)
    return replace(kept, log=before.log, tries=before.tries, failed_at=before.failed_at)


def may_pass(release: ReleaseRecord) -> bool:
    """Whether what hindered a release may pass by itself."""
    return release.reason in PASSING
