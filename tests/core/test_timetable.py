"""When cron services run: by the clock on the wall of their time zone, and as their concurrency says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from previewbot.core.blueprint import Concurrency, Schedule
from previewbot.core.model import Instance, InstanceState, Run, Running
from previewbot.core.timetable import MINUTE, Turn, comes, turns, until_next

NIGHTLY = Schedule("30 2 * * *", "Europe/Berlin")


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("schedule", "minute", "does"),
    [
        (NIGHTLY, utc(2026, 7, 1, 0, 30), True),
        (NIGHTLY, utc(2026, 12, 1, 1, 30), True),
        (NIGHTLY, utc(2026, 12, 1, 0, 30), False),
        # The clocks go forward from 2 to 3, and back from 3 to 2.
        (NIGHTLY, utc(2026, 3, 29, 0, 30), False),
        (NIGHTLY, utc(2026, 3, 29, 1, 30), False),
        (NIGHTLY, utc(2026, 10, 25, 0, 30), True),
        (NIGHTLY, utc(2026, 10, 25, 1, 30), False),
        (Schedule("0 0 13 * FRI"), utc(2026, 11, 27, 0, 0), True),
        (Schedule("0 0 13 * FRI"), utc(2026, 12, 13, 0, 0), True),
        (Schedule("0 0 13 * FRI"), utc(2026, 12, 14, 0, 0), False),
        (Schedule("0 0 * * SUN"), utc(2026, 11, 29, 0, 0), True),
        (Schedule("* * * * *", enabled=False), utc(2026, 1, 1), False),
    ],
)
def test_a_timetable_comes_by_the_clock_on_the_wall(schedule: Schedule, minute: datetime, does: bool) -> None:
    assert comes(schedule, minute) is does


def _running(schedule: Schedule, *runs: tuple[str, InstanceState]) -> Running:
    laid = Instance("nightly", 0, InstanceState.LAID, schedule=schedule)
    return Running("r1", (laid,), runs=tuple(Run("nightly", name, state) for name, state in runs))


GOING, DONE = InstanceState.STARTING, InstanceState.DONE
NOW, NAME = utc(2026, 1, 1, 0, 5), "202601010005"


@pytest.mark.parametrize(
    ("concurrency", "runs", "turn"),
    [
        (Concurrency.FORBID, [], Turn("nightly", NAME)),
        (Concurrency.FORBID, [("202601010004", GOING)], None),
        (Concurrency.ALLOW, [("202601010004", GOING)], Turn("nightly", NAME)),
        (Concurrency.REPLACE, [("202601010004", GOING)], Turn("nightly", NAME, ("202601010004",))),
        (Concurrency.ALLOW, [(NAME, GOING)], None),
        (Concurrency.FORBID, [("1", DONE), ("2", DONE), ("3", DONE)], Turn("nightly", NAME, ("1",))),
    ],
)
def test_a_run_waits_joins_or_replaces_as_its_concurrency_says_and_old_ones_go(
    concurrency: Concurrency, runs: list[tuple[str, InstanceState]], turn: Turn | None
) -> None:
    schedule = Schedule("* * * * *", concurrency=concurrency, history=2)
    assert list(turns(_running(schedule, *runs), NOW, NOW - MINUTE)) == ([turn] if turn else [])


@pytest.mark.parametrize(
    ("cron", "minutes", "name"),
    [
        ("* * * * *", 5, NAME),
        ("3 * * * *", 1, None),
        ("3 * * * *", 2, None),
        ("1,3 * * * *", 5, "202601010003"),
        ("30 23 * * *", 60, "202512312330"),
        ("59 22 * * *", 300, None),
        ("* * * * *", -5, None),
    ],
)
def test_of_the_minutes_that_were_missed_within_an_hour_the_last_run_is_made_up(
    cron: str, minutes: int, name: str | None
) -> None:
    found = turns(_running(Schedule(cron)), NOW, NOW - minutes * MINUTE)
    assert [each.begin for each in found] == ([name] if name else [])


def test_a_run_that_was_begun_is_not_made_up_again() -> None:
    assert not turns(_running(Schedule("3 * * * *"), ("202601010003", DONE)), NOW, NOW - 5 * MINUTE)


@pytest.mark.parametrize("text", ["", "a\nb", "* * * * *\nMars/Olympus\nforbid\n3\non", "x\nUTC\nnever\n3\non"])
def test_what_was_written_as_no_schedule_is_none(text: str) -> None:
    assert Schedule.read(text) is None


def test_a_schedule_is_kept_beside_what_runs_and_read_back() -> None:
    for schedule in (NIGHTLY, Schedule("*/5 * * * *", "UTC", Concurrency.REPLACE, 7, enabled=False)):
        assert Schedule.read(schedule.written()) == schedule


def test_the_next_minute_is_never_now() -> None:
    assert until_next(utc(2026, 1, 1, 0, 5)).total_seconds() == 60
    assert until_next(datetime(2026, 1, 1, 0, 5, 59, 500000, tzinfo=UTC)).total_seconds() == 0.5
