"""Telling people while a pass goes on: GitHub answers slowly, and nothing that runs has to wait for it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from previewbot.core.model import PullRequest
from previewbot.engine.bells import Bell
from previewbot.engine.ledger import Ledger
from previewbot.engine.publish import Publisher


class Voice:
    """Brings GitHub up to date, again and again, with one telling at a time and the newest status last."""

    def __init__(self, publisher: Publisher, pull: PullRequest | None, ledger: Ledger, bell: Bell) -> None:
        """``bell`` is nudged whenever everything was told."""
        self._publisher, self._pull, self._ledger, self._bell = publisher, pull, ledger, bell
        self._task: asyncio.Task[None] | None = None
        self._has_more = False

    @property
    def is_busy(self) -> bool:
        """Whether it is still telling something."""
        return self._task is not None and not self._task.done()

    def tell(self) -> None:
        """Tell what the ledger says now, as soon as what is being told is told; after a failure, no more."""
        self._has_more = True
        if self._task is None or (self._task.done() and not self._task.exception()):
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(lambda _: self._bell.nudge())

    async def __aenter__(self) -> Self:
        """Begin with nothing to tell."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until everything is told, and raise what stopped it, unless something else went wrong before."""
        if self._task is None:
            return
        if isinstance(error, asyncio.CancelledError):
            self._task.cancel()
        await asyncio.wait([self._task])
        if error is None:
            await self._task

    async def _run(self) -> None:
        while self._has_more and self._pull:
            self._has_more = False
            await self._publisher.publish(self._pull, self._ledger)
