"""What is known of containers without asking again, for as long as the engine's events are heard.

An inspection waits for whatever the engine is doing to a container, and of one that has just ended, the engine lets go
of the networks for as long as a start takes. Its events wait for nothing. So what was seen to run still does until an
event speaks of it, and a job whose end is told to be a good one is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from previewbot.adapters.docker.facts import Facts

_LASTS = 60.0
"""Seconds after which everything is asked for again: a stream of events may fall silent without an end."""


@dataclass(frozen=True, slots=True)
class Event:
    """What the engine tells of one container."""

    id: str
    action: str
    at: str
    """When it happened, as the engine writes times."""
    exit_code: int | None = None


class Known:
    """The facts of containers that run, and of jobs that ended well."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._facts: dict[str, tuple[float, Facts]] = {}
        self._odd: set[str] = set()
        """Containers that are not what they seem: of these, nothing is believed without asking."""
        self._streams = 0
        self._heard = 0

    def open(self) -> None:
        """Begin to hear a stream of events."""
        self._streams += 1
        self._heard += 1

    def close(self) -> None:
        """Hear a stream of events no longer."""
        self._streams -= 1
        self._heard += 1
        if not self._streams:
            self._facts.clear()
            self._odd.clear()

    def hear(self, event: Event) -> None:
        """Take in what happened to a container."""
        self._heard += 1
        _, facts = self._facts.pop(event.id, (0, None))
        if event.action in ("destroy", "remove"):
            self._odd.discard(event.id)
        elif event.action in ("oom", "pause", "unpause"):
            self._odd.add(event.id)
        elif event.action == "die" and facts and facts.is_job and event.exit_code == 0:
            over = replace(facts, status="exited", exit_code=0, finished_at=event.at)
            self._facts[event.id] = (self._clock(), over)

    @property
    def moment(self) -> int:
        """What ``keep`` wants to know of the moment before the engine was asked."""
        return self._heard

    def keep(self, facts: Facts | None, asked: int) -> None:
        """Remember what the engine answered, unless anything was heard since the moment when it was asked."""
        if facts and self._streams and asked == self._heard and facts.status == "running" and facts.id not in self._odd:
            self._facts[facts.id] = (self._clock(), facts)

    def find(self, listed: Mapping[str, Any]) -> Facts | None:
        """Say what is known of a container that the engine lists."""
        since, facts = self._facts.get(listed["Id"], (0, None))
        if facts is None or self._clock() - since > _LASTS:
            return None
        if facts.is_alive and (listed["State"] != "running" or not facts.is_where(listed)):
            return None
        return facts
