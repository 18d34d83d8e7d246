"""What a destroy hook came to: kept before what ran it is deleted. Nothing in here stops the deletion."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import InstanceState, Record, Run
from previewbot.core.situation import Situation, held
from previewbot.core.stages import DESTROY_HOOK
from previewbot.engine import output
from previewbot.engine.world import World

_MOST = 1000
"""Lines that are kept."""


async def remember(world: World, situation: Situation) -> Record:
    """Put on the record how the destroy hook ended, and what it said; nothing where there was none."""
    record = situation.record
    runs = [(each.revision, run) for each in situation.observed.releases for run in each.runs]
    found = next(((revision, run) for revision, run in runs if run.service == DESTROY_HOOK), None)
    if found is None or record.last_words:
        return record
    revision, run = found
    log = None
    with contextlib.suppress(Transient, Refused):
        said = await world.runtime.tail(record.key, revision, DESTROY_HOOK, lines=_MOST, run=run.name)
        hidden = held(record.app or "", situation.releases, situation.observed, record.key)
        log = await output.keep(world, await output.hide(world.secrets, hidden, {DESTROY_HOOK: said}))
    return replace(record, parting=_failure(run), last_words=log)


def _failure(run: Run) -> str | None:
    match run.state:
        case InstanceState.DONE:
            return None
        case InstanceState.FAILED:
            return run.detail or "failed"
        case InstanceState.STARTING | InstanceState.READY | InstanceState.LAID:
            return "did not end in time"
