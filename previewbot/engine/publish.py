"""Telling people: one comment, one deployment per commit, and reactions; nothing that GitHub shows already."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from previewbot.core.errors import Refused, Throttled, Transient
from previewbot.core.ids import digest
from previewbot.core.model import (
    Ask,
    AskState,
    Command,
    Deployment,
    Published,
    PullRequest,
    Reason,
    Record,
    Redeploy,
    State,
    Status,
)
from previewbot.engine.ledger import Ledger
from previewbot.engine.world import Policy, World
from previewbot.ports import DeploymentState, Reaction
from previewbot.wire import answers, notice

log = structlog.get_logger(__name__)

FINAL = (State.READY, State.FAILED, State.SKIPPED, State.GONE)
"""States that hold until a person does something: their text always gets through to GitHub."""

_OF_PREVIEWS = (Command.REDEPLOY, Command.RUN)
"""Commands that are nothing where nothing may run."""

PASSING = timedelta(seconds=2)
"""How long a start must last before the comment speaks of it: a write to GitHub is worth more than that."""

_DEPLOYMENT: dict[State, DeploymentState | None] = {
    State.BUILDING: DeploymentState.IN_PROGRESS,
    State.STARTING: DeploymentState.IN_PROGRESS,
    State.READY: DeploymentState.SUCCESS,
    State.FAILED: DeploymentState.FAILURE,
    State.SKIPPED: DeploymentState.INACTIVE,
    State.REMOVING: None,
    State.GONE: DeploymentState.INACTIVE,
}


@dataclass(frozen=True, slots=True)
class _Told:
    """The record with what got through to GitHub, and what stopped the rest."""

    record: Record
    error: Transient | Refused | None = None


@dataclass(frozen=True, slots=True)
class Publisher:
    """The voice of one pass."""

    world: World
    policy: Policy

    async def recall(self, pull: PullRequest | None, record: Record) -> Record:
        """Find out what GitHub still shows of an environment that nothing is remembered of."""
        if pull is None or record.status:
            return record
        try:
            standing = await self.world.hub.standing(pull, environment=_environment(pull))
        except Refused as refused:
            log.warning("deployments not listed", env=str(record.key), why=refused.message)
            return record
        return replace(record, superseded=tuple(standing))

    async def publish(self, pull: PullRequest, ledger: Ledger) -> None:
        """Bring GitHub up to date with the status of the record, and put in the ledger what GitHub now shows.

        The comment and the deployment are independent: where GitHub refuses one of them, the other is still told.
        """
        record, status = ledger.record, ledger.record.status
        if status is None or _is_silent(record, status):
            return
        commented, deployed = await asyncio.gather(
            self._comment(pull, record, status), self._deployment(pull, record, status)
        )
        ledger.tell(commented.record.comment, deployed.record.deployment, deployed.record.superseded)
        # Whatever got through is remembered first, so that a small budget still gets everything said in the end.
        await ledger.write()
        left = []
        for error in (commented.error, deployed.error):
            if isinstance(error, Refused):
                log.warning("not told", env=str(record.key), why=error.message)
            elif error:
                left.append(error)
        if left:
            raise max(left, key=_urgency)

    async def _comment(self, pull: PullRequest, record: Record, status: Status) -> _Told:
        body = notice.comment(record.key, status, notice.Context(self.policy.base_url))
        said = digest(body)
        if record.comment and (record.comment.digest == said or self._is_passing(status)):
            return _Told(record)
        known = record.comment.id if record.comment else None
        try:
            shown = await self.world.hub.comment(
                pull, notice.marker(record.key), body, known=known, final=status.state in FINAL
            )
        except (Transient, Refused) as error:
            return _Told(record, error)
        return _Told(record if shown is None else replace(record, comment=Published(shown, said)))

    def _is_passing(self, status: Status) -> bool:
        """Whether a state is likely over before anybody reads it: most starts take less than this."""
        return status.state is State.STARTING and self.world.clock.now() - status.since < PASSING

    async def _deployment(self, pull: PullRequest, record: Record, status: Status) -> _Told:
        wanted = _DEPLOYMENT[status.state]
        is_new = record.deployment is None or record.deployment.commit != pull.head_commit
        if wanted is None or (is_new and wanted is not DeploymentState.INACTIVE and status.commit != pull.head_commit):
            return _Told(record)
        try:
            if is_new and wanted is not DeploymentState.INACTIVE:
                older = (record.deployment.id,) if record.deployment else ()
                number = await self.world.hub.deploy(pull, environment=_environment(pull))
                made = Deployment(number, pull.head_commit, "")
                superseded = tuple(each for each in (*record.superseded, *older) if each != number)
                record = replace(record, deployment=made, superseded=superseded)
            if record.deployment and record.deployment.state != wanted:
                await self._report(pull, record.deployment.id, status, wanted)
                record = replace(record, deployment=replace(record.deployment, state=str(wanted)))
            if wanted in (DeploymentState.SUCCESS, DeploymentState.INACTIVE):
                for older_id in record.superseded:
                    await self._report(pull, older_id, status, DeploymentState.INACTIVE)
                    rest = tuple(each for each in record.superseded if each != older_id)
                    record = replace(record, superseded=rest)
        except (Transient, Refused) as error:
            return _Told(record, error)
        return _Told(record)

    async def _report(self, pull: PullRequest, deployment: int, status: Status, wanted: DeploymentState) -> None:
        url = next((line.url for line in status.services if line.url), None)
        log_url = notice.Context(self.policy.base_url).log(status.log) if status.log else None
        shown = url if wanted is DeploymentState.SUCCESS else None
        await self.world.hub.report(pull.repository, deployment, wanted, url=shown, log_url=log_url)

    async def answer(self, pull: PullRequest, asks: tuple[Ask, ...], record: Record, *, allowed: bool) -> Record:
        """Take new requests in: check who asks now, react, and remember a rebuild before it is acknowledged."""
        for ask in asks:
            if ask.state is AskState.NEW:
                record = await self._take(pull, ask, record, allowed=allowed)
        return record

    async def _take(self, pull: PullRequest, ask: Ask, record: Record, *, allowed: bool) -> Record:
        permission = await self.world.hub.permission(pull.repository, ask.login)
        if not permission.writes or (ask.command in _OF_PREVIEWS and not allowed):
            await self._settle(pull, ask, AskState.REFUSED)
            return record
        match ask.command:
            case Command.REDEPLOY:
                record = replace(record, redeploy=Redeploy(ask.id, pull.head_commit))
                await self.world.store.save(record)
                await self.world.hub.react(pull.repository, ask.id, Reaction.SEEN)
                await self.world.store.mark(ask, AskState.SEEN)
            case Command.RUN:
                await self.world.hub.react(pull.repository, ask.id, Reaction.SEEN)
                await self.world.store.mark(ask, AskState.SEEN)
            case Command.HELP | Command.UNKNOWN:
                body = answers.help_text(unknown=ask.command is Command.UNKNOWN)
                mark = answers.marker(ask.id)
                await self.world.hub.comment(pull, mark, f"{mark}\n{body}", known=None, final=True)
                await self._settle(pull, ask, AskState.DONE)
        return record

    async def conclude(self, pull: PullRequest, asks: tuple[Ask, ...], status: Status) -> None:
        """Tell those who asked for a rebuild how it ended, once it has."""
        if status.state not in FINAL:
            return
        ended = AskState.DONE if status.state is State.READY else AskState.REFUSED
        for ask in asks:
            if ask.state is AskState.SEEN and ask.command is Command.REDEPLOY:
                await self._settle(pull, ask, ended)

    async def _settle(self, pull: PullRequest, ask: Ask, state: AskState) -> None:
        reaction = Reaction.DONE if state is AskState.DONE else Reaction.REFUSED
        await self.world.hub.react(pull.repository, ask.id, reaction)
        await self.world.store.mark(ask, state)


def _urgency(error: Transient) -> tuple[bool, timedelta]:
    """Trouble before a mere wait; of two waits the longer one, after which both can be told at once."""
    return not isinstance(error, Throttled), error.retry_after or timedelta(0)


def _is_silent(record: Record, status: Status) -> bool:
    """Whether nobody asked and nothing ever ran: then the pull request is left in peace."""
    if record.comment:
        return False
    if status.reason is Reason.NO_BLUEPRINT:
        return record.redeploy is None
    # Where the record was lost, what is removed tells that there was something, and what GitHub still shows.
    was_something = record.created_at or record.removed.total or record.superseded
    return status.state in (State.GONE, State.REMOVING) and not was_something


def _environment(pull: PullRequest) -> str:
    """What GitHub calls the preview."""
    return f"pr-{pull.key.number}"
