"""How often a build was hindered by what is no fault of its own, and when it deserves another try."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core.errors import Transient
from previewbot.ports import Clock

_PAUSES = tuple(timedelta(seconds=each) for each in (2, 15, 60))
"""How long is waited after each setback."""


@dataclass(frozen=True, slots=True)
class _Setback:
    doubtful: int
    """How many the build may itself have caused."""
    sure: int
    """How many it cannot have caused."""
    why: str
    until: datetime


class Setbacks:
    """The setbacks of each image since its last real end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_image: dict[str, _Setback] = {}

    def add(self, image: str, why: str) -> bool:
        """Note one that the build may have caused; ``False`` where that was one too many, and the build has failed."""
        doubtful, sure = self._counts(image)
        if doubtful == len(_PAUSES):
            return False
        self._by_image[image] = _Setback(doubtful + 1, sure, why, self._clock.now() + _PAUSES[doubtful])
        return True

    def wait(self, image: str, why: str, pause: timedelta | None = None) -> None:
        """Note one that the build cannot have caused: however many there are, it is tried again."""
        doubtful, sure = self._counts(image)
        pause = pause or _PAUSES[min(sure, len(_PAUSES) - 1)]
        self._by_image[image] = _Setback(doubtful, sure + 1, why, self._clock.now() + pause)

    def expect_over(self, image: str) -> None:
        """Raise ``Transient`` while it is too early for another try."""
        known = self._by_image.get(image)
        left = known.until - self._clock.now() if known else timedelta(0)
        if known and left > timedelta(0):
            raise Transient(known.why, retry_after=left)

    def forget(self, image: str) -> None:
        """Begin anew."""
        self._by_image.pop(image, None)

    def _counts(self, image: str) -> tuple[int, int]:
        known = self._by_image.get(image)
        return (known.doubtful, known.sure) if known else (0, 0)
