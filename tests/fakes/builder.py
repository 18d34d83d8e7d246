"""A builder in memory: what is ordered is built at once, unless the test has said how it turns out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import digest
from previewbot.core.model import BuildRecord, BuildState, ImageOrder
from previewbot.ports import Clock, Finished, StoredImage


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a build turns out."""

    state: BuildState = BuildState.SUCCEEDED
    step: str | None = None
    lines: tuple[str, ...] = ()
    timed_out: bool = False


SUCCESS = Outcome()


class FakeBuilder:
    """A ``ports.Builder``. ``outcome`` may be replaced at any time; ``None`` from it leaves a build under way."""

    def __init__(self, clock: Clock, outcome: Callable[[ImageOrder], Outcome | None] = lambda _: SUCCESS) -> None:
        self.outcome = outcome
        self.orders: list[ImageOrder] = []
        """Every build that was really begun."""
        self.secrets: dict[str, Mapping[str, str]] = {}
        """What each image was built with."""
        self.used: set[str] = set()
        """The images that something runs."""
        self.refusal: Refused | None = None
        """Why nothing can be discarded."""
        self._clock = clock
        self._images: dict[str, str] = {}
        self._running: dict[str, tuple[BuildRecord, Finished]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_away = False

    # --- what a test does to it -------------------------------------------------------------------------------------

    async def finish(self, image: str, outcome: Outcome = SUCCESS) -> None:
        """End a build that is under way."""
        record, finished = self._running.pop(image)
        is_good = outcome.state is BuildState.SUCCEEDED
        if is_good:
            self._images[image] = f"sha256:{digest(image, str(len(self.orders)), length=64)}"
        await finished(
            replace(
                record,
                state=outcome.state,
                finished_at=self._clock.now(),
                digest=self._images[image] if is_good else None,
                step=outcome.step,
                lines=outcome.lines,
                timed_out=outcome.timed_out,
            )
        )

    def go_away(self) -> None:
        """Answer nothing any more."""
        self._is_away = True

    def come_back(self) -> None:
        """Answer again."""
        self._is_away = False

    # --- the port ---------------------------------------------------------------------------------------------------

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        self._ask()
        return {image: self._images[image] for image in images if image in self._images}

    def running(self) -> Mapping[str, BuildRecord]:
        return {image: record for image, (record, _) in self._running.items()}

    async def start(
        self, order: ImageOrder, *, log: str, finished: Finished, secrets: Mapping[str, str] | None = None
    ) -> BuildRecord:
        self.secrets[order.image] = dict(secrets or {})
        if order.image not in self._running:
            self.orders.append(order)
            self._running[order.image] = (self._first_record(order, log), finished)
            outcome = self.outcome(order)
            if outcome:
                task = asyncio.create_task(self._end(order.image, outcome))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        return self._running[order.image][0]

    async def _end(self, image: str, outcome: Outcome) -> None:
        if image in self._running:
            await self.finish(image, outcome)

    def _first_record(self, order: ImageOrder, log: str) -> BuildRecord:
        return BuildRecord(
            image=order.image,
            key=order.key,
            service=order.service,
            commit=order.commit,
            log=log,
            state=BuildState.RUNNING,
            started_at=self._clock.now(),
        )

    async def cancel(self, image: str) -> None:
        await self._end(image, Outcome(BuildState.CANCELLED))

    async def images(self) -> Sequence[StoredImage]:
        self._ask()
        return [StoredImage(image, found, image in self.used) for image, found in sorted(self._images.items())]

    async def discard(self, image: str) -> None:
        self._ask()
        if self.refusal:
            raise self.refusal
        if image not in self.used:
            self._images.pop(image, None)

    async def close(self) -> None:
        for image in list(self._running):
            await self.cancel(image)
        if self._ending:
            await asyncio.wait(self._ending)

    def _ask(self) -> None:
        if self._is_away:
            raise Transient("The builder in memory does not answer.")
