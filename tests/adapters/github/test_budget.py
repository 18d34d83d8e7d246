"""Content writes stay under GitHub's limits, and what is final always finds room first."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from previewbot.adapters.github.budget import Budget
from tests.adapters.github.scripted import NOW

ZERO = timedelta(0)
SECOND = timedelta(seconds=1)


def test_a_small_burst_goes_through_at_once_and_then_a_second_lies_between() -> None:
    budget = Budget(burst=3)
    assert [budget.take(NOW, final=True) for _ in range(4)] == [ZERO, ZERO, ZERO, SECOND]
    assert budget.take(NOW + SECOND, final=True) == ZERO
    assert budget.take(NOW + SECOND, final=True) == SECOND


def test_what_is_not_final_leaves_half_to_what_is() -> None:
    budget = Budget(per_minute=10, burst=100)
    taken = [budget.take(NOW, final=False) for _ in range(6)]
    assert taken == [ZERO] * 5 + [timedelta(minutes=1)]
    assert [budget.take(NOW, final=True) for _ in range(6)] == [ZERO] * 5 + [timedelta(minutes=1)]


def test_what_is_not_final_leaves_half_of_a_burst_too() -> None:
    budget = Budget(burst=10)
    assert [budget.take(NOW, final=False) for _ in range(6)] == [ZERO] * 5 + [SECOND]


def test_nothing_is_counted_that_was_not_allowed() -> None:
    budget = Budget(per_minute=1, burst=100)
    budget.take(NOW, final=True)
    for _ in range(50):
        assert budget.take(NOW + 30 * SECOND, final=True) == 30 * SECOND
    assert budget.take(NOW + 60 * SECOND, final=True) == ZERO


def test_the_hour_has_its_own_limit() -> None:
    budget = Budget(per_minute=80, per_hour=3, burst=100)
    for minute in range(3):
        assert budget.take(NOW + timedelta(minutes=minute), final=True) == ZERO
    assert budget.take(NOW + timedelta(minutes=3), final=True) == timedelta(minutes=57)


def test_it_stays_closed_as_long_as_github_asks() -> None:
    budget = Budget()
    budget.close(NOW + 45 * SECOND)
    assert budget.take(NOW, final=True) == 45 * SECOND
    assert budget.take(NOW + 45 * SECOND, final=True) == ZERO


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=300))
def test_no_minute_and_no_hour_ever_holds_more_than_allowed(asked: list[tuple[float, bool]]) -> None:
    budget = Budget(per_minute=8, per_hour=20, burst=5)
    now, written = NOW, []
    for pause, final in asked:
        now += timedelta(seconds=pause)
        wait = budget.take(now, final=final)
        if wait == ZERO:
            written.append(now)
        else:
            assert budget.take(now + wait + timedelta(milliseconds=1), final=final) == ZERO
            written.append(now := now + wait + timedelta(milliseconds=1))
    for window, limit in ((timedelta(minutes=1), 8), (timedelta(hours=1), 20)):
        assert all(sum(end - window < at <= end for at in written) <= limit for end in written)


def test_each_who_waits_is_promised_a_time_of_its_own_and_then_gets_through() -> None:
    budget = Budget(burst=2)
    waits = [budget.take(NOW, final=True, place=number) for number in range(6)]
    assert waits == [ZERO, ZERO, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]
    assert budget.take(NOW, final=True, place=4) == 3 * SECOND, "whoever asks again keeps the place"
    assert budget.take(NOW + SECOND, final=True, place="new") == 4 * SECOND, "nobody comes in between"
    assert budget.take(NOW + SECOND, final=False) > ZERO
    assert [budget.take(NOW + waits[number], final=True, place=number) for number in range(2, 6)] == [ZERO] * 4


def test_the_line_keeps_to_the_minute_as_well() -> None:
    budget = Budget(per_minute=2, burst=100)
    waits = [budget.take(NOW, final=True, place=number) for number in range(6)]
    minute = timedelta(minutes=1)
    assert waits == [ZERO, ZERO, minute, minute + SECOND, 2 * minute, 2 * minute + SECOND]


def test_a_promise_does_not_hold_when_github_has_had_enough() -> None:
    budget = Budget(burst=1)
    budget.take(NOW, final=True, place=0)
    assert budget.take(NOW, final=True, place=1) == SECOND
    budget.close(NOW + 60 * SECOND)
    assert budget.take(NOW + SECOND, final=True, place=1) == 59 * SECOND
    assert budget.take(NOW + 60 * SECOND, final=True, place=1) == ZERO
