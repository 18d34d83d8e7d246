"""What may pass by itself is tried again by itself, ever more slowly; everything else waits for a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from previewbot.core import retry
from previewbot.core.model import Reason, ReleaseRecord, ReleaseState
from tests.core.facts import COMMIT, KEY, NOW

FAILED = ReleaseRecord(KEY, "4f", COMMIT, ReleaseState.FAILED, NOW, NOW, failed_at=NOW, tries=1)


@pytest.mark.parametrize(("tries", "seconds"), [(0, 30), (1, 30), (2, 60), (3, 120), (4, 300), (5, 300), (5000, 300)])
@pytest.mark.parametrize("reason", [Reason.IMAGE_UNAVAILABLE, Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED])
def test_each_pause_is_longer_than_the_one_before_up_to_five_minutes(reason: Reason, tries: int, seconds: int) -> None:
    release, at = replace(FAILED, reason=str(reason), tries=tries), NOW + timedelta(seconds=seconds)
    assert retry.again_at(release) == at
    assert not retry.is_due(release, at - timedelta(seconds=1))
    assert retry.is_due(release, at)
    assert retry.pause(release, at + timedelta(hours=1)) == timedelta(0)


@pytest.mark.parametrize("reason", [*(set(Reason) - retry.PASSING), None, "of a later previewbot"])
def test_what_a_person_has_to_mend_is_never_tried_again_by_itself(reason: str | None) -> None:
    release = replace(FAILED, reason=reason and str(reason))
    assert retry.again_at(release) is None
    assert not retry.is_due(release, NOW + timedelta(days=1))
    assert retry.pause(release, NOW) is None


@pytest.mark.parametrize("state", set(ReleaseState) - {ReleaseState.FAILED})
def test_only_what_was_given_up_is_tried_again(state: ReleaseState) -> None:
    assert retry.again_at(replace(FAILED, state=state, reason=Reason.UNSCHEDULABLE)) is None


def test_a_release_that_was_given_up_before_this_was_counted_is_left_alone() -> None:
    assert retry.again_at(replace(FAILED, reason=Reason.UNSCHEDULABLE, failed_at=None, tries=0)) is None


@pytest.mark.parametrize(
    ("state", "keeps"),
    [(ReleaseState.FAILED, True), (ReleaseState.STARTING, True), (ReleaseState.RETIRED, False)],
)
def test_a_new_try_remembers_what_hindered_the_one_before(state: ReleaseState, *, keeps: bool) -> None:
    hindered = replace(FAILED, state=state, reason=Reason.UNSCHEDULABLE, service="web", detail="finds no room")
    begun = replace(FAILED, state=ReleaseState.STARTING, started_at=NOW + timedelta(hours=1), failed_at=None, tries=0)
    made = retry.remember(begun, hindered)
    assert (made.state, made.started_at) == (begun.state, begun.started_at)
    assert (made.tries, made.reason, made.detail) == (
        (1, "unschedulable", "finds no room") if keeps else (0, None, None)
    )
    assert retry.is_under_way(made) is keeps
    assert retry.remember(begun, None) == begun
