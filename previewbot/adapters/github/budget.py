"""How many content writes GitHub still takes from us: pure, and given the time by its caller."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_NONE = timedelta(0)


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

    def take(self, now: datetime, *, final: bool) -> timedelta:
        """Count one write and return zero, or count nothing and return how long to wait for it."""
        self._fill(now)
        wait = max(self._until_open(now), self._until_spaced(final=final), *self._until_allowed(now, final=final))
        if wait <= _NONE:
            self._written.append(now)
            self._bucket -= 1
            return _NONE
        return wait

    def close(self, until: datetime) -> None:
        """Allow nothing until then: GitHub said that it has had enough."""
        self._closed_until = max(until, self._closed_until or until)

    def left(self, now: datetime) -> int:
        """Say how many writes the hour still allows; none while GitHub has had enough."""
        if self._until_open(now) > _NONE:
            return 0
        _, limit = self._limits[-1]
        return limit - sum(at > now - _HOUR for at in self._written)

    def _fill(self, now: datetime) -> None:
        passed = max((now - (self._filled_at or now)).total_seconds(), 0.0)
        self._bucket = min(self._bucket + passed, float(self._burst))
        self._filled_at = now

    def _until_open(self, now: datetime) -> timedelta:
        return self._closed_until - now if self._closed_until else _NONE

    def _until_spaced(self, *, final: bool) -> timedelta:
        needed = 1.0 if final else self._burst / 2 + 1
        return timedelta(seconds=max(needed - self._bucket, 0.0))

    def _until_allowed(self, now: datetime, *, final: bool) -> list[timedelta]:
        waits = []
        for window, limit in self._limits:
            allowed = limit if final else limit // 2
            inside = [at for at in self._written if at > now - window]
            full = len(inside) >= allowed
            waits.append(inside[len(inside) - allowed] + window - now if full else _NONE)
        return waits
