"""``/run JOB`` in a comment: the job is begun at most once, and the comment is answered when it is over.

How far an ask got is on disk, and a run is named after its comment: so a restart anywhere in between goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Ask, AskState, Command, InstanceState, PullRequest, Run, Running, State, Status
from previewbot.core.situation import Held, held, serving
from previewbot.engine import output
from previewbot.engine.world import World
from previewbot.ports import Reaction
from previewbot.wire import answers, notice

log = structlog.get_logger(__name__)

_LINES = 20
"""Lines in an answer; where there are more, all of them are a log."""
_MOST = 1000
_COMING = (State.BUILDING, State.STARTING)


@dataclass(frozen=True, slots=True)
class Orders:
    """What people asked to be run of one pull request."""

    world: World
    pull: PullRequest
    context: notice.Context

    async def follow(self, asks: Sequence[Ask], status: Status) -> None:
        """Bring every order as far as it comes; what it waits for wakes the key when it happens."""
        open_ = [each for each in asks if each.command is Command.RUN and each.state in (AskState.SEEN, AskState.BEGUN)]
        for each in open_:
            # Looked at anew: what the one before has begun may be what this one asks for.
            await self._follow(each, await self._serving(), status)

    async def _serving(self) -> Running | None:
        key = self.pull.key
        return serving(await self.world.store.releases(key), await self.world.runtime.observe(key))

    async def _follow(self, ask: Ask, running: Running | None, status: Status) -> None:
        name = _name(ask)
        runs = running.runs if running else ()
        run = next((each for each in runs if (each.service, each.name) == (ask.argument, name)), None)
        if run and ask.state is AskState.SEEN:
            # It was begun although that seemed to fail.
            await self.world.store.mark(ask, AskState.BEGUN)
        if run or ask.state is AskState.BEGUN:
            if run is None or run.state is not InstanceState.STARTING:
                await self._conclude(ask, running, run or Run(ask.argument, name, InstanceState.FAILED, _LOST))
            return
        if running is None and status.state in _COMING:
            return
        jobs = running.runnable if running else ()
        if running is None or ask.argument not in jobs:
            why = None if running else notice.sentence(status)
            await self._answer(ask, answers.nothing_to_run(ask.argument, jobs, why=why), done=False)
        elif running.is_running(ask.argument):
            await self._answer(ask, answers.runs_already(ask.argument), done=False)
        else:
            await self._begin(ask, running, name)

    async def _begin(self, ask: Ask, running: Running, name: str) -> None:
        """Begin a run; remembered first, since a job that ran twice is worse than one that did not."""
        for each in running.runs:
            if each.service == ask.argument and each.name.startswith(_OURS):
                # It is over and was answered, and something came between that and its end.
                await self.world.runtime.end_run(ask.key, running.revision, each.service, each.name)
        await self.world.store.mark(ask, AskState.BEGUN)
        log.info("run", env=str(ask.key), service=ask.argument, run=name)
        try:
            await self.world.runtime.run(ask.key, running.revision, ask.argument, name)
        except Transient:
            await self.world.store.mark(ask, AskState.SEEN)
            raise
        except Refused as refused:
            run = Run(ask.argument, name, InstanceState.FAILED, f"could not be begun: {refused.message}")
            await self._answer(ask, answers.ran(run, ()), done=False)

    async def _conclude(self, ask: Ask, running: Running | None, run: Run) -> None:
        lines: Sequence[str] = ()
        log_name = None
        if running and run in running.runs:
            # What it knows is looked up first: its release may be replaced meanwhile, and forgotten.
            tail, knows = self.world.runtime.tail, await self._held()
            said = await tail(ask.key, running.revision, run.service, lines=_MOST, run=run.name)
            lines = (await output.hide(self.world.secrets, knows, {run.service: said}))[run.service]
            log_name = await output.keep(self.world, {run.service: lines}) if len(lines) > _LINES else None
        text = answers.ran(run, lines[-_LINES:], self.context.log(log_name) if log_name else None)
        await self._answer(ask, text, done=run.state is InstanceState.DONE)
        if running:
            await self.world.runtime.end_run(ask.key, running.revision, run.service, run.name)

    async def _held(self) -> Held:
        world, key = self.world, self.pull.key
        record, releases, observed = await asyncio.gather(
            world.store.load(key), world.store.releases(key), world.runtime.observe(key)
        )
        return held(record.app or "", releases, observed, key)

    async def _answer(self, ask: Ask, text: str, *, done: bool) -> None:
        mark = answers.marker(ask.id)
        await self.world.hub.comment(self.pull, mark, f"{mark}\n{text}", known=None, final=True)
        await self.world.hub.react(self.pull.repository, ask.id, Reaction.DONE if done else Reaction.REFUSED)
        await self.world.store.mark(ask, AskState.DONE if done else AskState.REFUSED)


def _name(ask: Ask) -> str:
    """Name the run of a comment."""
    return f"{_OURS}{ask.id}"


_OURS = "comment-"
_LOST = (
    "was ended with its release before it was over, or previewbot stopped before it began. "
    "Write the command again if it is still wanted"
)
