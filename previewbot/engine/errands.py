"""What a pass has begun and does not stand waiting for; all of it is over when the pass is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from previewbot.engine.bells import Bell

Name = tuple[str, ...]


class Errands:
    """Errands by name, whose first part says what it is about, and the rest of what about it.

    One that is under way is not begun again, nor is one for a part of it: half of what it does is seen before the
    other half. An errand says whether the world deserves another look once it is over.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._under_way: dict[Name, asyncio.Task[bool]] = {}
        self._failed: BaseException | None = None

    async def __aenter__(self) -> Self:
        """Begin without any."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what is still under way: whatever it did is found by the next look."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def are_under_way(self) -> bool:
        """Whether any is not over yet."""
        return bool(self._under_way)

    def run(self, name: Name, errand: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Begin an errand, unless it is under way, or part of one that is."""
        if not any(name[0] == other[0] and set(name) <= set(other) for other in self._under_way):
            task = self._under_way[name] = asyncio.create_task(errand())
            task.add_done_callback(lambda ended: self._end(name, ended))

    async def settle(self, about: str | None = None) -> None:
        """Wait until all are over, or all about one thing; raises what the first of them that failed raised."""
        while tasks := [task for name, task in self._under_way.items() if about in {None, name[0]}]:
            await asyncio.wait(tasks)
        self.check()

    def check(self) -> None:
        """Raise what an errand raised."""
        failed, self._failed = self._failed, None
        if failed:
            raise failed

    def _end(self, name: Name, ended: asyncio.Task[bool]) -> None:
        del self._under_way[name]
        error = None if ended.cancelled() else ended.exception()
        self._failed = self._failed or error
        if not ended.cancelled() and not error and ended.result():
            self._bell.ring()
        else:
            self._bell.nudge(is_move=True)
