"""How many content writes GitHub still takes from us: pure, and given the time by its caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_KEPT = timedelta(minutes=2)
"""How long a place is kept for somebody who is late."""


class Budget:
    """Content writes over a sliding minute and hour, with a second between them once a burst is used up.

    What is not final leaves half of every allowance to what is. The numbers are GitHub's secondary limits:
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
    """

    def __init__(self, *, per_minute: int = 80, per_hour: int = 500, burst: int = 10) -> None:
        """``burst`` is how many writes may follow each other at once; one comes back each second."""
        self._limits = ((_MINUTE, per_minute), (_HOUR, per_hour))
        self._burst = burst
        self._written: deque[datetime] = deque(maxlen=per_hour)
        self._bucket = float(burst)
        self._filled_at: datetime | None = None
        self._closed_until: datetime | None = None
        self._line: dict[Hashable, datetime] = {}
        """Who waits, and the time promised to each."""

    def take(self, now: datetime, *, final: bool, place: Hashable = None) -> timedelta:
        """Count one write and return zero, or count nothing and return how long to wait for it.

        Whoever is final and has to wait is promised a time of its own, behind all who wait already, and keeps that
        under its ``place``: of a hundred who wait, one comes back each second, and never all of them at once.
        """
        self._fill(now)
        self._strike_out(now)
        promised = self._line.get(place)
        if promised and promised > now:
            return promised - now
        self._line.pop(place, None)
        ahead = () if promised else tuple(sorted(self._line.values()))
        spaced = now if promised else self._spaced_at(now, ahead, final=final)
        at = max(now, self._closed_until or now, spaced, self._allowed_at(now, ahead, final=final))
        if at > now and final and place is not None:
            self._line[place] = at
        elif at <= now:
            self._written.append(now)
            self._bucket -= 1
        return at - now

    def close(self, until: datetime) -> None:
        """Allow nothing until then: GitHub said that it has had enough."""
        self._closed_until = max(until, self._closed_until or until)

    def left(self, now: datetime) -> int:
        """Say how many writes the hour still allows; none while GitHub has had enough."""
        if self._closed_until and self._closed_until > now:
            return 0
        _, limit = self._limits[-1]
        return limit - sum(at > now - _HOUR for at in self._written)

    def _fill(self, now: datetime) -> None:
        passed = max((now - (self._filled_at or now)).total_seconds(), 0.0)
        self._bucket = min(self._bucket + passed, float(self._burst))
        self._filled_at = now

    def _strike_out(self, now: datetime) -> None:
        """Give up the places of those who never came back."""
        self._line = {place: at for place, at in self._line.items() if at > now - _KEPT}

    def _spaced_at(self, now: datetime, ahead: Sequence[datetime], *, final: bool) -> datetime:
        """When the burst allows another write after those that are promised."""
        needed = 1.0 if final else self._burst / 2 + 1
        return max([now + timedelta(seconds=needed - self._bucket), *(at + _SECOND for at in ahead[-1:])])

    def _allowed_at(self, now: datetime, ahead: Sequence[datetime], *, final: bool) -> datetime:
        """When minute and hour allow another write after those that are promised."""
        counted = [*self._written, *ahead]
        times = [now]
        for window, limit in self._limits:
            allowed = limit if final else limit // 2
            inside = [at for at in counted if at > now - window]
            if len(inside) >= allowed:
                times.append(inside[len(inside) - allowed] + window)
        return max(times)
