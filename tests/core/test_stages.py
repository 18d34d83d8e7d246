"""How long a release took to come up: what people are told beside how long its images took."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from previewbot.core.model import BuildRecord, BuildState, ReleaseRecord, ReleaseState
from previewbot.core.stages import start_time
from tests.core.facts import COMMIT, KEY, NOW

SECOND = timedelta(seconds=1)
STARTING = ReleaseRecord(KEY, "r1", COMMIT, ReleaseState.STARTING, NOW - 9 * SECOND, NOW)


def built(end: timedelta | None) -> BuildRecord:
    began = NOW - timedelta(minutes=1)
    return BuildRecord("i", KEY, "web", COMMIT, "log", BuildState.SUCCEEDED, began, None if end is None else NOW + end)


def test_it_counts_from_the_first_start_where_all_images_were_there() -> None:
    builds = (built(-5 * SECOND), built(None), built(timedelta(days=-9)))
    assert start_time(STARTING, builds, NOW + 2 * SECOND) == 2 * SECOND
    assert start_time(STARTING, (), NOW + 2 * SECOND) == 2 * SECOND


def test_a_program_that_was_started_while_others_were_built_does_not_count_their_builds() -> None:
    assert start_time(STARTING, (built(-SECOND), built(7 * SECOND)), NOW + 8 * SECOND) == SECOND


def test_a_clock_that_was_set_back_makes_it_nothing() -> None:
    assert start_time(STARTING, (), NOW - SECOND) == timedelta(0)


@pytest.mark.parametrize("state", [each for each in ReleaseState if each is not ReleaseState.STARTING])
def test_what_was_not_started_now_took_no_time_that_anybody_knows(state: ReleaseState) -> None:
    assert start_time(replace(STARTING, state=state), (), NOW + SECOND) is None
    assert start_time(None, (), NOW + SECOND) is None
