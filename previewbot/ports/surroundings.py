"""The clock, the figures and the logs."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is, so that tests can say so."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""


class Outcome(StrEnum):
    """What a pass or an action came to."""

    DONE = "done"
    TRANSIENT = "transient"
    REFUSED = "refused"
    BUG = "bug"


class Repair(StrEnum):
    """What was found although nothing had told of it, and is put right."""

    COMMIT = "commit"
    """A pull request, or its newest commit, that nobody had looked at."""
    CLOSING = "closing"
    ORPHAN = "orphan"
    """Something of ours that runs for no living environment."""
    DELIVERY = "delivery"
    """A delivery that GitHub could not hand over."""
    DRIFT = "drift"
    """Something of an environment that was deleted or changed by others."""


class Meter(Protocol):
    """What counts, for the operator. It is never told whose environment it was: that would be a label for each."""

    def served(self, after: timedelta) -> None:
        """A release serves for the first time, this long after the delivery that asked for it was accepted."""

    def built(self, result: str, took: timedelta) -> None:
        """A build is over."""

    def acted(self, action: str, outcome: Outcome) -> None:
        """An action of a plan is over."""

    def passed(self, kind: str, outcome: Outcome, took: timedelta) -> None:
        """A pass over a topic of this kind (``key`` or ``survey``) is over."""

    def repaired(self, what: Repair, count: int = 1) -> None:
        """Something was found that nothing had told of."""


class Logs(Protocol):
    """Build logs that people read while they grow."""

    def path(self, log: str) -> Path:
        """Where the log of this name is; names that are not ours are refused with ``ValueError``."""
