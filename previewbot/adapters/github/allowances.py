"""How many requests each installation may still send, as GitHub's answers tell. Only remembered, never waited for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import httpx


@dataclass(frozen=True, slots=True)
class _Left:
    requests: int
    renewed_at: datetime


class Allowances:
    """The last word on each installation."""

    def __init__(self) -> None:
        self._left: dict[int, _Left] = {}

    def note(self, installation: int, headers: httpx.Headers) -> None:
        """Remember what an answer says; other limits than that of the REST API, and nonsense, are passed over."""
        remaining, reset = _number(headers, "x-ratelimit-remaining"), _number(headers, "x-ratelimit-reset")
        if headers.get("x-ratelimit-resource", "core") == "core" and remaining is not None and reset is not None:
            self._left[installation] = _Left(remaining, datetime.fromtimestamp(reset, UTC))

    def scarcest(self, now: datetime) -> int | None:
        """Say how many the installation has that has fewest; ``None`` where no answer told that still holds."""
        return min((each.requests for each in self._left.values() if each.renewed_at > now), default=None)


def _number(headers: httpx.Headers, name: str) -> int | None:
    text = headers.get(name, "")
    return int(text[:11]) if text.isascii() and text.isdigit() else None
