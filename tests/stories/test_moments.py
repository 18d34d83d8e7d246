"""What a pass does while it stays for a moment: it goes on, holds nobody up, and lets itself be called away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from previewbot.core.model import Running
from previewbot.demo.github.state import Pull
from previewbot.engine.turns import Turns
from previewbot.engine.world import Policy
from previewbot.ports import Hub
from tests.fakes.runtime import READY, SLOW
from tests.stories.town import Town, town

LONG = Policy(stay=timedelta(seconds=30))
"""Longer than any of these tests may take."""


@asynccontextmanager
async def working(city: Town) -> AsyncIterator[None]:
    """Let the worker run as it does in the process."""
    running = asyncio.create_task(city.worker.run())
    yield
    running.cancel()
    await asyncio.wait([running])


async def until(holds: Callable[[], Awaitable[object] | object]) -> None:
    async with asyncio.timeout(20):
        while True:
            held = holds()
            if await held if isinstance(held, Awaitable) else held:
                return
            await asyncio.sleep(0.005)


async def releases(city: Town, pull: Pull) -> tuple[Running, ...]:
    return (await city.runtime.observe(city.key(pull))).releases


async def started(city: Town, pull: Pull) -> bool:
    return any(each.instances for each in await releases(city, pull))


async def gone(city: Town, pull: Pull) -> bool:
    return not await releases(city, pull)


@dataclass
class Held:
    """A hub that takes comments only once ``gate`` is open."""

    hub: Hub
    gate: asyncio.Event

    async def comment(self, *what: Any, **more: Any) -> int | None:
        await self.gate.wait()
        return await self.hub.comment(*what, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.hub, name)


def passes(city: Town) -> float:
    """How many passes over environments are over."""
    name, labels = "previewbot_pass_seconds_count", {"kind": "key", "outcome": "done"}
    return city.metrics.registry.get_sample_value(name, labels) or 0.0


async def test_one_pass_leads_from_an_opened_pull_request_to_its_url(tmp_path: Path) -> None:
    async with town(tmp_path, policy=LONG) as city:
        await city.settle()
        pull = await city.open()
        assert "**Preview is ready**" in city.comment(pull)
        assert passes(city) == 1


async def test_a_release_that_takes_a_while_is_routed_by_the_pass_that_started_it(tmp_path: Path) -> None:
    async with town(tmp_path, policy=LONG) as city:
        await city.settle()
        city.runtime.behave = lambda _: SLOW
        pull = await city.github.open_pull(city.hosted, title="x", author="alice", files={"web/x": "1"})
        async with working(city):
            await until(lambda: started(city, pull))
            assert not city.front_door.routes
            (release,) = await releases(city, pull)
            for service in ("web", "api"):
                city.runtime.turn(city.key(pull), release.revision, service, READY)
            await until(lambda: city.front_door.routes)
            await until(lambda: "**Preview is ready**" in city.comment(pull))
            await until(lambda: passes(city))
        assert passes(city) == 1


async def test_a_github_that_is_slow_to_take_a_comment_holds_no_release_up(tmp_path: Path) -> None:
    async with town(tmp_path, policy=LONG) as city:
        await city.settle()
        gate = asyncio.Event()
        city.world = replace(city.world, hub=cast("Hub", Held(city.world.hub, gate)))
        pull = await city.github.open_pull(city.hosted, title="x", author="alice", files={"web/x": "1"})
        async with working(city):
            await until(lambda: city.front_door.routes)
            assert not city.comments(pull)
            gate.set()
            await until(lambda: city.comments(pull) and "**Preview is ready**" in city.comment(pull))


async def test_a_newer_commit_calls_a_pass_away_that_waits_for_an_older_build(tmp_path: Path) -> None:
    async with town(tmp_path, policy=LONG) as city:
        await city.settle()
        city.builder.outcome = lambda _: None
        pull = await city.github.open_pull(city.hosted, title="x", author="alice", files={"web/x": "1"})
        async with working(city):
            await until(lambda: len(city.builder.running()) == 2)
            older = set(city.builder.running())
            await city.github.push(city.hosted, pull, {"web/x": "2", "api/x": "3"})
            await until(lambda: len(set(city.builder.running()) - older) == 2)
            await until(lambda: not older & set(city.builder.running()))


async def test_passes_that_wait_for_builds_leave_their_turn_to_others(tmp_path: Path) -> None:
    async with town(tmp_path, policy=LONG) as city:
        city.turns = Turns(1)
        await city.settle()
        city.builder.outcome = lambda _: None
        async with working(city):
            for number in range(3):
                await city.github.open_pull(city.hosted, title="x", author="alice", files={"web/x": str(number)})
            await until(lambda: len({each.key for each in city.builder.running().values()}) == 3)


async def test_a_closed_pull_request_is_taken_down_though_its_pass_waits(tmp_path: Path) -> None:
    async with town(tmp_path, policy=LONG) as city:
        await city.settle()
        city.runtime.behave = lambda _: SLOW
        pull = await city.github.open_pull(city.hosted, title="x", author="alice", files={"web/x": "1"})
        async with working(city):
            await until(lambda: started(city, pull))
            city.github.close(city.hosted, pull)
            await until(lambda: gone(city, pull))
            await until(lambda: "**Preview removed**" in city.comment(pull))
