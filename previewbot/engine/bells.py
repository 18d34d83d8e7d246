"""News for a pass that is under way: whoever hears of its environment tells it here, instead of queueing it again.

Nothing is lost with the process: the pass holds the lease of its topic, and what it did not live to see is found by the
pass after it. A process that has no such pass is told so, and makes the topic due.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from previewbot.core.ids import Key, Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery, Inbox


class Bell:
    """What one pass listens to."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._has_news = False
        self.commit: str | None = None
        """The commit that the pass brings up, once it is known."""
        self.is_called_away = False
        """Whether GitHub has news of its topic, so that what the pass read there may be old."""
        self.moves = 0
        """How often anything of what runs may have changed: what was seen before the newest of these is old."""

    def ring(self, *, is_move: bool = True) -> None:
        """Tell that the world has changed; an image that was built is news, but no move of what runs."""
        self._has_news = True
        self.moves += is_move
        self._woken.set()

    def nudge(self, *, is_move: bool = False) -> None:
        """Let a pass that waits look around, without any news."""
        self.moves += is_move
        self._woken.set()

    def call_away(self) -> None:
        """Ask the pass to come to its end."""
        self.is_called_away = True
        self._woken.set()

    def take_news(self) -> bool:
        """Say whether the world has changed since this was asked last."""
        had, self._has_news = self._has_news, False
        return had

    async def wait(self, seconds: float | None) -> None:
        """Wait until anybody calls, but not for longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()


class Bells:
    """The bells of all passes that this process has under way."""

    def __init__(self) -> None:
        self._bells: dict[Key, Bell] = {}

    @contextmanager
    def listening(self, key: Key) -> Iterator[Bell]:
        """Listen for as long as the context lasts; what rings and is not taken by then is the caller's to tell."""
        bell = self._bells[key] = Bell()
        try:
            yield bell
        finally:
            if self._bells.get(key) is bell:
                del self._bells[key]

    def ring(self, key: Key, *, is_move: bool = True) -> bool:
        """Tell a pass that the world of its environment changed; ``False`` where none listens."""
        bell = self._bells.get(key)
        if bell:
            bell.ring(is_move=is_move)
        return bell is not None

    def is_bringing_up(self, key: Key, commit: str) -> bool:
        """Whether a pass is under way that brings up just this commit, so that it is no news to it."""
        return key in self._bells and self._bells[key].commit == commit

    def call_away(self, topics: Collection[Topic]) -> None:
        """Tell passes that GitHub has news of their topics, which are due again."""
        for topic in topics:
            if isinstance(topic, Key) and topic in self._bells:
                self._bells[topic].call_away()


@dataclass(frozen=True, slots=True)
class Doorbell:
    """An inbox that calls passes away from topics of which it has news."""

    inbox: Inbox
    bells: Bells

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        """See ``Inbox.accept``."""
        is_new = await self.inbox.accept(delivery, topics, asks)
        if is_new:
            self.bells.call_away(topics)
        return is_new
