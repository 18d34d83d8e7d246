"""How many requests GitHub still takes: an hour's allowance for each installation, the App itself, and strangers.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import JSONResponse, Response

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one of them has of its hour."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def is_exceeded(self) -> bool:
        """Whether the last request was one too many."""
        return self.used > self.limit

    @property
    def headers(self) -> dict[str, str]:
        """How every answer tells it."""
        words = {
            "Limit": str(self.limit),
            "Remaining": str(max(self.limit - self.used, 0)),
            "Used": str(min(self.used, self.limit)),
            "Reset": str(int(self.resets_at.timestamp())),
            "Resource": "core",
        }
        return {f"X-RateLimit-{name}": value for name, value in words.items()}


class Limits:
    """Counts requests in hours that begin with the first one."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.hourly = 5000
        """What an installation, or the App, may send in an hour."""
        self.strangers = 60
        self._now = now
        self._hours: dict[int | None, tuple[int, datetime]] = {}

    def spend(self, who: int | None) -> Allowance:
        """Count a request of an installation or the App, by its id, or of somebody unknown."""
        before = self.left(who)
        self._hours[who] = before.used + 1, before.resets_at
        return self.left(who)

    def left(self, who: int | None) -> Allowance:
        """What one has now."""
        now, limit = self._now(), self.strangers if who is None else self.hourly
        used, resets_at = self._hours.get(who, (0, now))
        return Allowance(limit, used, resets_at) if resets_at > now else Allowance(limit, 0, now + _HOUR)

    def used_up(self, wait: int) -> Allowance:
        """What one has who must wait so many seconds."""
        return Allowance(self.hourly, self.hourly + 1, self._now() + timedelta(seconds=wait))


def exceeded(allowance: Allowance, status: int = 403) -> Response:
    """The answer to a request that was one too many for this hour."""
    return _refusal("API rate limit exceeded.", status, allowance.headers)


def secondary(wait: int, status: int = 403) -> Response:
    """The answer to somebody who asks too much at once."""
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return _refusal(message, status, {"Retry-After": str(wait)})


def _refusal(message: str, status: int, headers: dict[str, str]) -> Response:
    page = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
    return JSONResponse({"message": message, "documentation_url": page, "status": str(status)}, status, headers)
