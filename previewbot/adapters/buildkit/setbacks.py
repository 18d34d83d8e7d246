"""How often a build was hindered by what is no fault of its own, and when it deserves another try."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core.errors import Transient
from previewbot.ports import Clock

_PAUSES = tuple(timedelta(seconds=each) for each in (2, 15, 60))
"""How long is waited after each setback; one more, and the build has failed."""


@dataclass(frozen=True, slots=True)
class _Setback:
    times: int
    why: str
    until: datetime


class Setbacks:
    """The setbacks of each image since its last real end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_image: dict[str, _Setback] = {}

    def add(self, image: str, why: str) -> bool:
        """Note one; ``False`` where that was one too many."""
        known = self._by_image.get(image)
        times = known.times if known else 0
        if times == len(_PAUSES):
            return False
        self._by_image[image] = _Setback(times + 1, why, self._clock.now() + _PAUSES[times])
        return True

    def expect_over(self, image: str) -> None:
        """Raise ``Transient`` while it is too early for another try."""
        known = self._by_image.get(image)
        left = known.until - self._clock.now() if known else timedelta(0)
        if known and left > timedelta(0):
            raise Transient(known.why, retry_after=left)

    def forget(self, image: str) -> None:
        """Begin anew."""
        self._by_image.pop(image, None)
