"""The five fields of ``crontab(5)``, read to the minutes, hours and days that they mean.

It takes what every place that runs environments understands alike: ``7`` for Sunday and ``5/10`` are not among that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crontab:
    """When a timetable comes: where both kinds of days are restricted, either is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    """Of the month, from 1."""
    months: frozenset[int]
    weekdays: frozenset[int]
    """Sunday is 0."""
    any_day: bool
    """Whether the days of the month are unrestricted: their field begins with ``*``."""
    any_weekday: bool


@dataclass(frozen=True, slots=True)
class NoCrontab:
    """What is wrong with a timetable, as it follows the name of its key; and how to mend it."""

    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    """With its article."""
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Words for the numbers from ``least`` on."""


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    _Field("a minute", 0, 59),
    _Field("an hour", 0, 23),
    _Field("a day of the month", 1, 31),
    _Field("a month", 1, 12, _MONTHS),
    _Field("a day of the week", 0, 6, _DAYS),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of the months in a leap year."""
_NICKNAMES: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ENTRY = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,3}))?", re.ASCII)


class _Wrong(Exception):  # noqa: N818 - the field is
    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.found = NoCrontab(problem, fix)


def parse(text: str) -> Crontab | NoCrontab:
    """Read a timetable such as ``*/15 8-18 * * MON-FRI``; what could never come is none."""
    words = text.split()
    if text.strip().lower() in _NICKNAMES:
        return NoCrontab("is a nickname", f"write `{_NICKNAMES[text.strip().lower()]}`")
    if len(words) != len(_FIELDS):
        problem = f"must have five fields, not {len(words)}"
        return NoCrontab(problem, "write minute, hour, day of the month, month, day of the week, as in `0 3 * * *`")
    try:
        minutes, hours, days, months, weekdays = (
            _read(word, field) for word, field in zip(words, _FIELDS, strict=True)
        )
    except _Wrong as wrong:
        return wrong.found
    any_day, any_weekday = words[2].startswith("*"), words[4].startswith("*")
    if any_weekday and min(days) > max(_LONGEST[month - 1] for month in months):
        return NoCrontab("never comes: no such month has such a day", "choose a day that one of the months has")
    return Crontab(minutes, hours, days, months, weekdays, any_day, any_weekday)


def _read(word: str, field: _Field) -> frozenset[int]:
    return frozenset().union(*(_entry(entry, field) for entry in word.split(",")))


def _entry(entry: str, field: _Field) -> range:
    found = _ENTRY.fullmatch(entry)
    if not found:
        raise _Wrong(f"has {field.name} that cannot be read", "write `*`, `5`, `1-5`, `*/15`, or several with commas")
    first = field.least if found["all"] else _number(found["first"], field)
    last = field.most if found["all"] else _number(found["last"] or found["first"], field)
    if first > last:
        fix = f"write `{found['first']}-{field.most},{field.least}-{found['last']}`"
        raise _Wrong(f"has {field.name} whose range runs backwards", fix)
    if not found["step"]:
        return range(first, last + 1)
    if not found["all"] and not found["last"]:
        fix = f"write `{found['first']}-{field.most}/{found['step']}`"
        raise _Wrong(f"has {field.name} that steps from one number", fix)
    step = int(found["step"])
    if not 1 <= step <= field.most:
        raise _Wrong(f"has {field.name} that steps by {step}", f"step by a number from 1 to {field.most}")
    return range(first, last + 1, step)


def _number(word: str, field: _Field) -> int:
    if word.upper() in field.names:
        return field.least + field.names.index(word.upper())
    number = int(word) if word.isdecimal() and len(word) < 4 else -1  # noqa: PLR2004 - no field has a longer one
    if field.least <= number <= field.most:
        return number
    fix = "write 0 for Sunday" if field.names == _DAYS and number == 7 else f"write {_range(field)}"  # noqa: PLR2004
    raise _Wrong(f"has {field.name} that there is not", fix)


def _range(field: _Field) -> str:
    numbers = f"{field.least} to {field.most}"
    return f"{numbers}, or {field.names[0]} to {field.names[-1]}" if field.names else numbers
