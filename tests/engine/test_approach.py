"""Looks at what runs: one is used again while it is fresh and nothing moved, and an early one is nobody's trouble."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import Observed
from previewbot.engine import approach
from previewbot.engine.approach import glimpse, see
from previewbot.engine.bells import Bell
from previewbot.engine.reconcile import Reconciler
from tests.stories.town import town


async def _looks(folder: Path, monkeypatch: pytest.MonkeyPatch, *, fresh: float) -> int:
    """Count the looks at the runtime that it takes to bring up what ran before the push."""
    monkeypatch.setattr(approach, "_FRESH", fresh)
    async with town(folder) as city:
        pull = await city.open()
        looked: list[Key] = []
        observe = city.runtime.observe

        async def counted(key: Key) -> Observed:
            looked.append(key)
            return await observe(key)

        monkeypatch.setattr(city.runtime, "observe", counted)
        await city.push(pull, {"unseen": "2"})
        return len(looked)


async def test_a_glimpse_stands_for_the_first_look_unless_the_source_took_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    stale = await _looks(tmp_path / "a", monkeypatch, fresh=0)
    assert await _looks(tmp_path / "b", monkeypatch, fresh=60) < stale


@pytest.mark.parametrize(
    ("happened", "stays"),
    [
        (lambda bell: bell.ring(), False),
        (lambda bell: bell.ring(is_move=False), True),
        (lambda bell: bell.nudge(is_move=True), False),
        (lambda bell: bell.nudge(), True),
        (lambda bell: bell.call_away(), True),
    ],
    ids=["something moved", "an image was built", "something was begun", "everything was told", "GitHub has news"],
)
async def test_what_was_seen_is_old_once_anything_may_have_moved(
    tmp_path: Path, happened: Callable[[Bell], None], stays: bool
) -> None:
    async with town(tmp_path) as city:
        bell = Bell()
        seen = await see(city.world, Key(1, 1), bell)
        assert seen.is_fresh(bell)
        happened(bell)
        assert seen.is_fresh(bell) == stays


async def test_a_build_that_is_over_is_news_and_moves_nothing_that_runs(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        city.builder.outcome = lambda _: None
        await city.github.open_pull(city.hosted, title="x", author="alice", files={"web/x": "1"})
        await city.github.hooks.settle()
        await city.worker.drain()
        (image, *_), reconciler = city.builder.running(), Reconciler(city.world, city.policy)
        build = city.builder.running()[image]
        with reconciler.bells.listening(build.key) as bell:
            await reconciler._finished(build)
            assert bell.take_news()
            assert not bell.moves


async def test_what_moves_while_it_is_looked_at_makes_the_look_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(tmp_path) as city:
        bell, observe = Bell(), city.runtime.observe

        async def moving(key: Key) -> Observed:
            bell.ring()
            return await observe(key)

        monkeypatch.setattr(city.runtime, "observe", moving)
        assert not (await see(city.world, Key(1, 1), bell)).is_fresh(bell)


async def test_what_cannot_be_seen_in_a_glimpse_is_left_to_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(tmp_path) as city:

        async def away(_: Key) -> Observed:
            raise Transient("the engine is away")

        monkeypatch.setattr(city.runtime, "observe", away)
        assert await glimpse(city.world, Key(1, 1), Bell()) is None
