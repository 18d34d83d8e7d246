"""A timetable means exactly the minutes that it names, or tells what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.crontab import Crontab, NoCrontab, parse

EVERY = Crontab(
    frozenset(range(60)), frozenset(range(24)), frozenset(range(1, 32)), frozenset(range(1, 13)), frozenset(range(7)),
    any_day=True, any_weekday=True,
)  # fmt: skip


def read(text: str) -> Crontab:
    found = parse(text)
    assert isinstance(found, Crontab), found
    return found


def test_stars_are_every_minute() -> None:
    assert read("* * * * *") == EVERY
    assert read(" *  *\t* * * ") == EVERY


def test_numbers_names_ranges_steps_and_lists() -> None:
    found = read("*/15 8-18/2 1,15 jan-MAR,Dec MON-FRI")
    assert found.minutes == {0, 15, 30, 45}
    assert found.hours == {8, 10, 12, 14, 16, 18}
    assert found.days == {1, 15}
    assert found.months == {1, 2, 3, 12}
    assert found.weekdays == {1, 2, 3, 4, 5}
    assert not found.any_day
    assert not found.any_weekday


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("", "must have five fields, not 0", "write minute, hour, day of the month"),
        ("* * * * * *", "must have five fields, not 6", "write minute, hour"),
        ("@daily", "is a nickname", "write `0 0 * * *`"),
        ("60 * * * *", "has a minute that there is not", "write 0 to 59"),
        ("* 24 * * *", "has an hour that there is not", "write 0 to 23"),
        ("* * 0 * *", "has a day of the month that there is not", "write 1 to 31"),
        ("* * * 13 *", "has a month that there is not", "write 1 to 12, or JAN to DEC"),
        ("* * * * 7", "has a day of the week that there is not", "write 0 for Sunday"),
        ("* * * * JAN", "has a day of the week that there is not", "write 0 to 6, or SUN to SAT"),
        ("*/0 * * * *", "has a minute that steps by 0", "step by a number from 1 to 59"),
        ("*/90 * * * *", "has a minute that steps by 90", "step by a number from 1 to 59"),
        ("5/10 * * * *", "has a minute that steps from one number", "write `5-59/10`"),
        ("50-10 * * * *", "has a minute whose range runs backwards", "write `50-59,0-10`"),
        ("* * * * FRI-MON", "has a day of the week whose range runs backwards", "write `FRI-6,0-MON`"),
        ("1,,2 * * * *", "has a minute that cannot be read", "write `*`"),
        ("-1 * * * *", "has a minute that cannot be read", "write `*`"),
        ("? * * * *", "has a minute that cannot be read", "write `*`"),
        ("٣ * * * *", "has a minute that cannot be read", "write `*`"),
        ("0 0 31 2,4 *", "never comes: no such month has such a day", "choose a day"),
    ],
)
def test_what_is_no_timetable_says_why(text: str, problem: str, fix: str) -> None:
    found = parse(text)
    assert isinstance(found, NoCrontab)
    assert found.problem == problem
    assert found.fix.startswith(fix)


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 4,5 *", "0 0 31 2 MON"])
def test_a_rare_day_comes_all_the_same(text: str) -> None:
    assert read(text).days


WORDS = ["*", "/", "-", ",", "0", "7", "59", "99999", "mon", "JAN", "a", " "]


@given(st.text() | st.lists(st.sampled_from(WORDS)).map("".join))
def test_any_text_is_a_timetable_or_tells_what_is_wrong(text: str) -> None:
    found = parse(text)
    assert found.fix if isinstance(found, NoCrontab) else found.minutes and found.days


@given(st.tuples(st.integers(0, 59), st.integers(0, 23), st.integers(1, 29), st.integers(1, 12), st.integers(0, 6)))
def test_five_numbers_are_themselves(numbers: tuple[int, int, int, int, int]) -> None:
    found = read(" ".join(map(str, numbers)))
    assert (found.minutes, found.hours, found.days, found.months, found.weekdays) == tuple(
        frozenset((each,)) for each in numbers
    )
