"""``previewbot run``: run a job of an environment now, show what it says, and end as it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from previewbot.adapters.git import GitSource
from previewbot.adapters.local import LogFiles, SystemClock
from previewbot.adapters.store import open_store
from previewbot.app import hub_of, open_secrets
from previewbot.cli import environments
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Run
from previewbot.core.situation import Held, held, serving
from previewbot.engine import output
from previewbot.places import Tools, open_place
from previewbot.ports import Clock, Records, Runtime, Secrets
from previewbot.settings import Settings

_LINES = 1000
_PAUSE = 0.2
_REASON = "job"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and what it said; no secret of the app is in it."""

    run: Run
    lines: Sequence[str]
    took: timedelta


async def run_job(settings: Settings, environment: str, service: str) -> Ended:
    """Run a job to its end. Raises ``Refused`` for what is not there to be run, and ``Transient``."""
    folder, clock = settings.storage.folder.absolute(), SystemClock()
    hub = hub_of(settings)
    try:
        async with open_store(settings.database_url, exclusive=False) as store:
            tools = Tools(GitSource(folder / "source", hub.credential), LogFiles(folder / "logs"), clock)
            async with open_place(settings, tools) as place:
                return await Jobs(store, place.runtime, open_secrets(settings), clock).run(environment, service)
    finally:
        await hub.aclose()


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a run by hand works with, beside the process that serves."""

    records: Records
    runtime: Runtime
    secrets: Secrets
    clock: Clock

    async def run(self, environment: str, service: str) -> Ended:
        """See ``run_job``."""
        key, began = (await environments.find(self.records, environment)).key, self.clock.now()
        # What it knows is looked up before it runs: until it is over, its release may be replaced, and forgotten.
        revision, knows = await self._serving(key, service)
        begun = Run(service, f"{began:%Y%m%d%H%M%S}", InstanceState.STARTING)
        await self.runtime.run(key, revision, service, begun.name)
        run = await _end_of(self.runtime, key, revision, begun)
        said = await self.runtime.tail(key, revision, service, lines=_LINES, run=begun.name)
        await self.runtime.end_run(key, revision, service, begun.name)
        shown = await output.hide(self.secrets, knows, {service: said})
        return Ended(run, shown[service], self.clock.now() - began)

    async def _serving(self, key: Key, service: str) -> tuple[str, Held]:
        """The revision that serves, if the job is laid with it, and the secrets that its programs may know."""
        record, releases, observed = await asyncio.gather(
            self.records.load(key), self.records.releases(key), self.runtime.observe(key)
        )
        running = serving(releases, observed)
        if running is None:
            name = f"{record.repository_name}#{key.number}"
            raise Refused(_REASON, f"Nothing of {name} serves now; `previewbot list --all` says why.")
        jobs = running.runnable
        if service not in jobs:
            there = f"there are {', '.join(jobs)}" if jobs else "there are none"
            raise Refused(_REASON, f"Nothing named `{service}` can be run there: {there}.")
        if running.is_running(service):
            raise Refused(_REASON, f"`{service}` runs there already; run it again when that is over.")
        return running.revision, held(record.app or "", releases, observed, key)


async def _end_of(runtime: Runtime, key: Key, revision: str, begun: Run) -> Run:
    """Wait for the end of a run; its release may be replaced meanwhile, which ends it."""
    while True:
        running = (await runtime.observe(key)).release(revision)
        runs = running.runs if running else ()
        found = next((each for each in runs if (each.service, each.name) == (begun.service, begun.name)), None)
        if found is None:
            return Run(begun.service, begun.name, InstanceState.FAILED, "was ended with its release")
        if found.state is not InstanceState.STARTING:
            return found
        await asyncio.sleep(_PAUSE)
