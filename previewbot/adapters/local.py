"""This machine: its clock, and the folder where the logs of builds lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The logs of builds as files of one folder. A log's name is its only protection, so it must be unguessable."""

    folder: Path

    def path(self, log: str) -> Path:
        """The file of a log; ``ValueError`` for a name that previewbot cannot have made."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{20,64}", log, re.ASCII):
            raise ValueError("not the name of a log")
        return self.folder / f"{log}.log"

    def prune(self, now: datetime, keep: timedelta) -> int:
        """Delete logs that nobody wrote to for longer than ``keep``; returns how many."""
        old = [each for each in self.folder.glob("*.log") if _age(each, now) > keep]
        for each in old:
            each.unlink(missing_ok=True)
        return len(old)


def _age(file: Path, now: datetime) -> timedelta:
    try:
        return now - datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return timedelta(0)
