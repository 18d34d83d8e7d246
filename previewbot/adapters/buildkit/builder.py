"""Building images with ``buildctl``, which pushes them to the registry: ``adapters.building`` runs it.

What is no fault of the image's (BuildKit away, a registry that restarts) puts a build off: it ends as cancelled, the
engine orders it again, and ``start`` raises ``Transient`` until that is worth a try.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.building import Inputs, Job, Jobs, run
from previewbot.adapters.buildkit.kit import Kit, furnish
from previewbot.adapters.buildkit.names import is_digest
from previewbot.adapters.buildkit.recipe import Cache, Recipe
from previewbot.adapters.buildkit.stock import Stock
from previewbot.adapters.buildkit.troubles import Kind, Trouble, read_trouble
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import BuildRecord, ImageOrder
from previewbot.ports import Clock, Finished, Logs, Source, StoredImage

_PREFIX = "error: failed to solve: "


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows builds."""

    at_once: int = 2
    time: timedelta = timedelta(minutes=15)
    cache: Cache = Cache.REGISTRY


class BuildKitBuilder:
    """A ``ports.Builder`` on one BuildKit and one registry."""

    def __init__(
        self,
        kit: Kit,
        stock: Stock,
        *,
        source: Source,
        logs: Logs,
        clock: Clock,
        limits: Limits = Limits(),
    ) -> None:
        self._kit, self._stock, self._limits = kit, stock, limits
        self._jobs = Jobs(
            self._build, source=source, logs=logs, clock=clock, at_once=limits.at_once, time_limit=limits.time
        )
        self._caches: set[str] = set()
        """Tags with layers of earlier builds, as far as seen."""
        self._is_away = False
        """Whether BuildKit was away when it was last needed."""

    # --- images -----------------------------------------------------------------------------------------------------

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        """See ``Builder.locate``."""
        return await self._stock.locate(images)

    async def images(self) -> Sequence[StoredImage]:
        """See ``Builder.images``."""
        return await self._stock.images()

    async def discard(self, image: str) -> None:
        """See ``Builder.discard``; ``Refused`` where the registry deletes nothing."""
        await self._stock.discard(image)

    async def user_of(self, reference: str) -> str | None:
        """See ``Stock.user_of``."""
        return await self._stock.user_of(reference)

    async def check(self) -> str:
        """Say with what images are built; ``Transient`` or ``Refused`` where that is not possible."""
        return await self._kit.check()

    # --- builds -----------------------------------------------------------------------------------------------------

    def running(self) -> Mapping[str, BuildRecord]:
        """See ``Builder.running``."""
        return self._jobs.running()

    async def start(
        self, order: ImageOrder, *, log: str, finished: Finished, secrets: Mapping[str, str] | None = None
    ) -> BuildRecord:
        """See ``Builder.start``; ``Transient`` while what hindered the last try is likely still there."""
        if self._is_away and order.image not in self._jobs.running():
            await self._kit.check()
            self._is_away = False
        return await self._jobs.start(order, log=log, finished=finished, secrets=secrets)

    async def cancel(self, image: str) -> None:
        """See ``Builder.cancel``."""
        await self._jobs.cancel(image)

    async def close(self) -> None:
        """See ``Builder.close``."""
        await self._jobs.close()

    async def _build(self, job: Job, inputs: Inputs) -> BuildRecord:
        recipe = await self._recipe(job.order, inputs)
        registry = self._stock.registry
        with tempfile.TemporaryDirectory(prefix="previewbot-build-", ignore_cleanup_errors=True) as made:
            home = Path(made)
            furnish(home, registry.host, registry.login(), registry.ca_file)
            metadata = home / "metadata.json"
            async with self._kit.reached() as way:
                arguments = [*self._kit.command(way), *recipe.arguments(metadata), *job.furnish(home)]
                code = await run(arguments, env=self._kit.environment(home), folder=inputs.context, job=job)
            digest = _read_digest(metadata) if code == 0 else None
        if digest:
            return job.succeeded(self._stock.names.pinned(digest))
        trouble = read_trouble(job.progress.error, self._kit.address, way.trouble)
        return self._settle(job, inputs, trouble) if trouble else self._failed(job, inputs)

    async def _recipe(self, order: ImageOrder, inputs: Inputs) -> Recipe:
        names, cache = self._stock.names, self._limits.cache
        tag = names.cache_tag(order)
        return Recipe(
            inputs=inputs,
            build=order.build,
            reference=names.tagged(order.image),
            labels=names.labels(order.image),
            fresh=order.fresh,
            cache=cache,
            cache_reference=f"{names.host}/{names.repository}:{tag}",
            knows_cache=cache is not Cache.NONE and not order.fresh and await self._has_cache(tag),
            plain_http=self._stock.registry.plain_http,
        )

    async def _has_cache(self, tag: str) -> bool:
        """Whether there are layers of an earlier build: what is not there would stand in the log as an error."""
        if tag not in self._caches:
            with suppress(Transient, Refused):  # it only saves time
                if await self._stock.registry.digest(self._stock.names.repository, tag):
                    self._caches.add(tag)
        return tag in self._caches

    def _settle(self, job: Job, inputs: Inputs, trouble: Trouble) -> BuildRecord:
        """End a build that met trouble: put off while there is hope that it passes, else failed."""
        told = trouble.told
        self._is_away = trouble.kind in {Kind.AWAY, Kind.DIED}
        if trouble.kind is Kind.AWAY:
            return job.put_off(told)
        if trouble.kind is not Kind.FINAL and (put_off := self._jobs.put_off(job, told)):
            return put_off
        job.log.remark(told)
        if trouble.kind is Kind.DIED:
            return job.failed(*job.progress.last_lines(), told)
        return replace(job.failed_at(inputs), lines=(told,))

    def _failed(self, job: Job, inputs: Inputs) -> BuildRecord:
        ended = job.failed_at(inputs)
        return replace(ended, lines=tuple(line.removeprefix(_PREFIX) for line in ended.lines))


def _read_digest(metadata: Path) -> str | None:
    with suppress(OSError, ValueError, AttributeError):
        found = json.loads(metadata.read_bytes()).get("containerimage.digest")
        return found if isinstance(found, str) and is_digest(found) else None
    return None
