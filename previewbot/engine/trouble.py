"""What people are told when a pass keeps failing: that previewbot waits or is broken, and that nothing is lost."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import PullRequest, Reason, Record, State, Status
from previewbot.engine.ledger import Ledger
from previewbot.engine.observe import read_pull
from previewbot.engine.publish import Publisher
from previewbot.engine.world import Policy, World
from previewbot.ports import Lease

_PATIENCE = 4
"""Failures in a row (about eight seconds) that nobody needs to hear of."""


async def apologise(world: World, policy: Policy, lease: Lease, error: Exception) -> None:
    """Say in the comment that a pass keeps failing, once; what hinders even that is left to the next try."""
    if not isinstance(lease.topic, Key) or lease.attempt < _PATIENCE:
        return
    with contextlib.suppress(Transient, Refused):
        record = await world.store.load(lease.topic)
        reason = Reason.ENGINE_AWAY if isinstance(error, Transient | Refused) else Reason.INTERNAL
        before = record.status
        if before and (before.state is State.GONE or before.reason is reason):
            return
        pull = await _pull(world, lease.topic)
        # What is remembered may be from before the push whose pass keeps failing.
        shown = replace(record, commit=pull.head_commit) if pull and pull.is_open else record
        ledger = Ledger(world.store, replace(record, status=_status(world, shown, reason, error)))
        await ledger.write()
        if pull:
            await Publisher(world, policy).publish(pull, ledger)


async def _pull(world: World, key: Key) -> PullRequest | None:
    """Read the pull request, if it can be read now: the pages tell of trouble also where GitHub cannot be told."""
    with contextlib.suppress(Transient, Refused):
        return await read_pull(world, key)
    return None


def _status(world: World, record: Record, reason: Reason, error: Exception) -> Status:
    return Status(
        state=State.FAILED,
        reason=reason,
        since=world.clock.now(),
        commit=record.commit,
        detail=str(error) if reason is Reason.ENGINE_AWAY else None,
        last_good=record.status.last_good if record.status else None,
    )
