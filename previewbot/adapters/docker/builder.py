"""Building images with ``docker build``: ``adapters.building`` runs it, the engine keeps what comes out.

An engine that is away, or fails in the middle, puts a build off: see ``adapters.building.jobs``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.building import DISK_FULL, Inputs, Job, Jobs, run
from previewbot.adapters.docker.cli import Cli, Recipe, environment, find_cli, furnish
from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.labels import IMAGE, Names
from previewbot.adapters.docker.stock import Stock
from previewbot.adapters.docker.troubles import read_trouble
from previewbot.core.errors import Refused
from previewbot.core.model import BuildRecord, ImageOrder, Reason
from previewbot.ports import Clock, Finished, Logs, Source, StoredImage

_NO_SECRETS = (
    "A secret in a build needs BuildKit, which this engine or its `docker` command lacks: previewbot's operator has to"
    " install docker-buildx, or a newer Docker."
)


class DockerBuilder:
    """A ``ports.Builder`` on one engine; ``instance`` tells two previewbots on the same engine apart."""

    def __init__(
        self,
        engine: Engine,
        *,
        instance: str,
        source: Source,
        logs: Logs,
        clock: Clock,
        at_once: int = 2,
        time_limit: timedelta = timedelta(minutes=15),
    ) -> None:
        self._engine = engine
        self._names = Names(instance)
        self._stock = Stock(engine, self._names)
        self._jobs = Jobs(self._build, source=source, logs=logs, clock=clock, at_once=at_once, time_limit=time_limit)
        self._cli: Cli | None = None

    # --- images -----------------------------------------------------------------------------------------------------

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        """See ``Builder.locate``."""
        return await self._stock.locate(images)

    async def images(self) -> Sequence[StoredImage]:
        """See ``Builder.images``."""
        return await self._stock.images()

    async def discard(self, image: str) -> None:
        """See ``Builder.discard``."""
        await self._stock.discard(image)

    async def check(self) -> str:
        """Say with what images are built; ``Refused`` where there is nothing."""
        return str(await self._find_cli())

    # --- builds -----------------------------------------------------------------------------------------------------

    def running(self) -> Mapping[str, BuildRecord]:
        """See ``Builder.running``."""
        return self._jobs.running()

    async def start(
        self, order: ImageOrder, *, log: str, finished: Finished, secrets: Mapping[str, str] | None = None
    ) -> BuildRecord:
        """See ``Builder.start``."""
        return await self._jobs.start(order, log=log, finished=finished, secrets=secrets)

    async def cancel(self, image: str) -> None:
        """See ``Builder.cancel``."""
        await self._jobs.cancel(image)

    async def close(self) -> None:
        """See ``Builder.close``."""
        await self._jobs.close()

    async def _build(self, job: Job, inputs: Inputs) -> BuildRecord:
        cli = await self._find_cli()
        with tempfile.TemporaryDirectory(prefix="previewbot-build-", ignore_cleanup_errors=True) as made:
            home = Path(made)
            furnish(home)
            id_file = home / "image-id"
            if job.secrets and not cli.buildkit:
                raise Refused(Reason.RUNTIME_REFUSED, _NO_SECRETS)
            arguments = self._recipe(job.order, inputs).arguments(cli, self._engine.url, id_file, job.furnish(home))
            env = environment(home, buildkit=cli.buildkit)
            code = await run(arguments, env=env, folder=inputs.context, job=job)
            if code == 0 and id_file.is_file():
                return job.succeeded(id_file.read_text().strip())
        return await self._settle(job, inputs)

    async def _settle(self, job: Job, inputs: Inputs) -> BuildRecord:
        """End a build without an image: put off while there is hope that what hindered it passes, else failed."""
        await self._engine.call(lambda client: client.ping())  # `Transient` where it is away now
        progress = job.progress
        why = DISK_FULL if progress.disk_is_full else read_trouble(progress.error or progress.last_words)
        if why and (put_off := self._jobs.put_off(job, why)):
            return put_off
        ended = job.failed_at(inputs)
        return replace(ended, lines=(why,)) if why and not progress.disk_is_full else ended

    def _recipe(self, order: ImageOrder, inputs: Inputs) -> Recipe:
        labels = self._names.labels() | {IMAGE: order.image}
        return Recipe(inputs.context, inputs.dockerfile, order.build, self._names.tag(order.image), labels, order.fresh)

    async def _find_cli(self) -> Cli:
        if self._cli is None:
            self._cli = await find_cli(self._engine)
        return self._cli
