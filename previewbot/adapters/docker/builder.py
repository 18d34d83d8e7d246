"""Building images with ``docker build``, in the background, a few at a time.

A build is known here only while it runs; what became of it is told once, to ``finished``. When previewbot dies, its
builds die with it, and the next pass finds an image that is missing.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.docker.cli import Cli, Recipe, end, environment, find_cli, furnish, spawn
from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.labels import IMAGE, Names
from previewbot.adapters.docker.log import Log
from previewbot.adapters.docker.progress import Progress
from previewbot.adapters.docker.stock import Stock
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import BuildRecord, BuildState, ImageOrder, Reason
from previewbot.ports import Clock, Finished, Logs, Source, StoredImage

_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024
_WAITING = "waiting for its turn"
_DISK_FULL = "The disk is full (no space left on device): previewbot's operator has to make room."


@dataclass(slots=True)
class _Job:
    """One build, from its order until ``finished`` has been told."""

    order: ImageOrder
    record: BuildRecord
    finished: Finished
    progress: Progress = field(default_factory=Progress)
    task: asyncio.Task[None] | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        return self.record.state is not BuildState.RUNNING


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
        self._source, self._logs, self._clock = source, logs, clock
        self._time_limit = time_limit
        self._turns = asyncio.Semaphore(at_once)
        self._jobs: dict[str, _Job] = {}
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
        return {image: job.record for image, job in self._jobs.items() if not job.is_over}

    async def start(self, order: ImageOrder, *, log: str, finished: Finished) -> BuildRecord:
        """See ``Builder.start``."""
        path = self._logs.path(log)
        job = self._jobs.get(order.image)
        if job and job.task and job.record.state is BuildState.CANCELLED:
            await asyncio.wait([job.task])
            job = self._jobs.get(order.image)
        if job is None:
            job = _Job(order, self._first_record(order, log), finished)
            self._jobs[order.image] = job
            job.task = asyncio.create_task(self._run(job, path))
        return job.record

    async def cancel(self, image: str) -> None:
        """See ``Builder.cancel``: returns when the build has ended and its end was told."""
        job = self._jobs.get(image)
        if job and job.task and not job.is_over:
            await job.begun.wait()  # a task that is cancelled before it began would never tell its end
            job.task.cancel()
            await asyncio.wait([job.task])

    async def close(self) -> None:
        """See ``Builder.close``."""
        await asyncio.gather(*(self.cancel(image) for image in list(self._jobs)))
        tasks = [job.task for job in self._jobs.values() if job.task]
        if tasks:
            await asyncio.wait(tasks)

    def _first_record(self, order: ImageOrder, log: str) -> BuildRecord:
        return BuildRecord(
            image=order.image,
            key=order.key,
            service=order.service,
            commit=order.commit,
            log=log,
            state=BuildState.RUNNING,
            started_at=self._clock.now(),
            step=_WAITING,
        )

    async def _run(self, job: _Job, path: Path) -> None:
        job.begun.set()
        log = Log(path)
        outcome = replace(job.record, state=BuildState.FAILED, lines=("The build ended without a result.",))
        try:
            async with self._turns:
                job.record = replace(job.record, started_at=self._clock.now(), step=None)
                outcome = await self._limited(job, log)
        except asyncio.CancelledError:
            log.remark("the build was cancelled.")
            outcome = replace(job.record, state=BuildState.CANCELLED)
        finally:
            log.close()
            job.record = replace(outcome, finished_at=self._clock.now())
            try:
                # Still known while this is told, so that nobody orders it again in between.
                await job.finished(job.record)
            finally:
                del self._jobs[job.order.image]

    async def _limited(self, job: _Job, log: Log) -> BuildRecord:
        """Build within the time limit; what goes wrong outside the build is its failure, too."""
        try:
            async with (
                asyncio.timeout(self._time_limit.total_seconds()),
                self._source.checkout(job.order.repository, job.order.commit) as tree,
            ):
                return await self._build(job, log, tree)
        except TimeoutError:
            told = f"The build was stopped: it took longer than {_minutes(self._time_limit)}."
            log.remark(told)
            lines = (*job.progress.last_lines(), told)
            return replace(job.record, state=BuildState.FAILED, lines=lines, timed_out=True)
        except (Transient, Refused, OSError) as error:
            log.remark(str(error))
            return replace(job.record, state=BuildState.FAILED, lines=(str(error),))

    async def _build(self, job: _Job, log: Log, tree: Path) -> BuildRecord:
        recipe = self._recipe(job.order, tree)
        cli = await self._find_cli()
        with tempfile.TemporaryDirectory(prefix="previewbot-build-", ignore_cleanup_errors=True) as made:
            home = Path(made)
            furnish(home)
            id_file = home / "image-id"
            arguments = recipe.arguments(cli, self._engine.url, id_file)
            process = await spawn(arguments, environment(home, buildkit=cli.buildkit), recipe.context)
            try:
                await self._follow(job, log, process)
                code = await process.wait()
            finally:
                await end(process)
            if code == 0 and id_file.is_file():
                return replace(job.record, state=BuildState.SUCCEEDED, digest=id_file.read_text().strip(), step=None)
        return self._failed(job, recipe)

    async def _follow(self, job: _Job, log: Log, process: asyncio.subprocess.Process) -> None:
        rest = b""
        while process.stdout and (chunk := await process.stdout.read(_CHUNK)):
            log.write(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_LONGEST_LINE:]
            for line in lines:
                job.progress.read(line.decode("utf-8", "replace"))
            job.record = replace(job.record, step=job.progress.step)
        job.progress.read(rest.decode("utf-8", "replace"))

    def _failed(self, job: _Job, recipe: Recipe) -> BuildRecord:
        text = recipe.dockerfile.read_bytes().decode("utf-8", "replace")
        step, lines = job.progress.failure(text, job.order.build.dockerfile)
        if job.progress.disk_is_full:
            lines = (*lines, _DISK_FULL)
        return replace(job.record, state=BuildState.FAILED, step=step, lines=lines[-20:])

    def _recipe(self, order: ImageOrder, tree: Path) -> Recipe:
        root = tree.resolve()
        context = _inside(root, root / order.build.context, order.build.context)
        dockerfile = _inside(root, context / order.build.dockerfile, order.build.dockerfile)
        if not context.is_dir():
            raise Refused(Reason.SOURCE_REFUSED, f"The build context `{order.build.context}` is not a folder.")
        if not dockerfile.is_file():
            raise Refused(Reason.SOURCE_REFUSED, f"There is no file `{order.build.dockerfile}` in the build context.")
        labels = self._names.labels() | {IMAGE: order.image}
        return Recipe(context, dockerfile, order.build, self._names.tag(order.image), labels, order.fresh)

    async def _find_cli(self) -> Cli:
        if self._cli is None:
            self._cli = await find_cli(self._engine)
        return self._cli


def _inside(root: Path, path: Path, shown: str) -> Path:
    """Follow links, and refuse a path that leaves the tree, though the source promised that there is none."""
    found = path.resolve()
    if not found.is_relative_to(root):
        raise Refused(Reason.SOURCE_REFUSED, f"The path `{shown}` leaves the repository.")
    return found


def _minutes(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"  # noqa: PLR2004 - a minute
