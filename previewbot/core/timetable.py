"""When cron services run, and which runs are kept: from what is laid, what ran, and the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from previewbot.core.blueprint import Concurrency, Schedule
from previewbot.core.crontab import Crontab, parse
from previewbot.core.model import InstanceState, Running

MINUTE = timedelta(minutes=1)
_LONGEST_GAP = timedelta(hours=1)
"""What was missed longer ago is not made up."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one service of a release comes to at one minute."""

    service: str
    begin: str | None
    """The name of the run to begin."""
    end: tuple[str, ...] = ()
    """The names of runs to end, or to take away: replaced ones, and old ones."""


def minute_of(now: datetime) -> datetime:
    """The minute that a time is in, in UTC."""
    return now.astimezone(UTC).replace(second=0, microsecond=0)


def comes(schedule: Schedule, minute: datetime) -> bool:
    """Whether a timetable comes at a minute: by the clock on the wall of its time zone.

    What that clock leaps over does not come, and what it shows twice comes the first time.
    """
    table = parse(schedule.cron)
    if not schedule.enabled or not isinstance(table, Crontab):
        return False
    local = minute.astimezone(ZoneInfo(schedule.timezone))
    return local.fold == 0 and _matches(table, local)


def _matches(table: Crontab, local: datetime) -> bool:
    if local.minute not in table.minutes or local.hour not in table.hours or local.month not in table.months:
        return False
    day, weekday = local.day in table.days, local.isoweekday() % 7 in table.weekdays
    return (day and weekday) if table.any_day or table.any_weekday else (day or weekday)


def run_name(minute: datetime) -> str:
    """Name the run of a minute: two previewbots that begin it begin the same one."""
    return f"{minute:%Y%m%d%H%M}"


def turns(running: Running, minute: datetime, since: datetime) -> Sequence[Turn]:
    """Say what every cron service of the release that serves comes to at a minute.

    ``since`` is the last minute at which this was asked: of what came after that, the last run of each is made up.
    """
    minutes = tuple(_back(minute, max(since, minute - _LONGEST_GAP)))
    found = (_turn(each.service, each.schedule, running, minutes) for each in running.instances if each.schedule)
    return tuple(turn for turn in found if turn.begin or turn.end)


def _back(minute: datetime, since: datetime) -> Iterator[datetime]:
    """The minutes after a minute up to another, the newest first."""
    while minute > since:
        yield minute
        minute -= MINUTE


def _turn(service: str, schedule: Schedule, running: Running, minutes: Sequence[datetime]) -> Turn:
    runs = sorted((each for each in running.runs if each.service == service), key=lambda each: each.name)
    going = [each.name for each in runs if each.state is InstanceState.STARTING]
    over = [each.name for each in runs if each.state is not InstanceState.STARTING]
    old = tuple(over[: max(0, len(over) - schedule.history)])
    come = next((each for each in minutes if comes(schedule, each)), None)
    name = run_name(come) if come else None
    if name is None or any(each.name == name for each in runs) or _is_kept_from(schedule, going):
        return Turn(service, None, old)
    replaced = tuple(going) if schedule.concurrency is Concurrency.REPLACE else ()
    return Turn(service, name, (*old, *replaced))


def _is_kept_from(schedule: Schedule, going: Sequence[str]) -> bool:
    return bool(going) and schedule.concurrency is Concurrency.FORBID


def until_next(now: datetime) -> timedelta:
    """How long it is until the next minute begins."""
    return minute_of(now) + MINUTE - now.astimezone(UTC)
