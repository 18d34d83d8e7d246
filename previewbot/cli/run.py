"""``previewbot run``: run a job of an environment now, show what it says, and end as it ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from previewbot.adapters.git import GitSource
from previewbot.adapters.local import LogFiles, SystemClock
from previewbot.adapters.store import open_store
from previewbot.app import hub_of, open_secrets
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Record, Run
from previewbot.core.situation import Held, held, serving
from previewbot.engine import output
from previewbot.places import Tools, open_place
from previewbot.ports import Records, Runtime
from previewbot.settings import Settings

_LINES = 1000
_PAUSE = 0.2
_REASON = "job"
_NAME = re.compile(r"(?P<repository>[^/#\s]+/[^/#\s]+)#(?P<number>[1-9][0-9]*)")


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
            record = await _find(store, environment)
            tools = Tools(GitSource(folder / "source", hub.credential), LogFiles(folder / "logs"), clock)
            async with open_place(settings, tools) as place:
                began = clock.now()
                revision = await _serving(store, place.runtime, record, service)
                name = f"{began:%Y%m%d%H%M%S}"
                await place.runtime.run(record.key, revision, service, name)
                run = await _end_of(place.runtime, record.key, revision, Run(service, name, InstanceState.STARTING))
                said = await place.runtime.tail(record.key, revision, service, lines=_LINES, run=name)
                holding = await _held(store, place.runtime, record)
                await place.runtime.end_run(record.key, revision, service, name)
                shown = await output.hide(open_secrets(settings), holding, {service: said})
                return Ended(run, shown[service], clock.now() - began)
    finally:
        await hub.aclose()


async def _held(records: Records, runtime: Runtime, record: Record) -> Held:
    return held(record.app or "", await records.releases(record.key), await runtime.observe(record.key), record.key)


async def _find(records: Records, environment: str) -> Record:
    found = _NAME.fullmatch(environment)
    if not found:
        raise Refused(_REASON, f"`{environment}` is no pull request: write it like acme/shop#42.")
    for each in await records.records():
        if each.repository_name == found["repository"] and each.key.number == int(found["number"]):
            return each
    raise Refused(_REASON, f"{environment} has no environment; `previewbot list` shows those that there are.")


async def _serving(records: Records, runtime: Runtime, record: Record, service: str) -> str:
    """The revision that serves, if the job is laid with it."""
    observed = await runtime.observe(record.key)
    running = serving(await records.releases(record.key), observed)
    if running is None:
        name = f"{record.repository_name}#{record.key.number}"
        raise Refused(_REASON, f"Nothing of {name} serves now; `previewbot list --all` says why.")
    jobs = running.runnable
    if service not in jobs:
        there = f"there are {', '.join(jobs)}" if jobs else "there are none"
        raise Refused(_REASON, f"Nothing named `{service}` can be run there: {there}.")
    if running.is_running(service):
        raise Refused(_REASON, f"`{service}` runs there already; run it again when that is over.")
    return running.revision


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
