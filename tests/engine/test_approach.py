"""The look that a pass has while it reads the source: used while it is fresh, and nobody's trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import Observed
from previewbot.engine import approach
from previewbot.engine.approach import glimpse
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


async def test_what_cannot_be_seen_in_a_glimpse_is_left_to_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(tmp_path) as city:

        async def away(_: Key) -> Observed:
            raise Transient("the engine is away")

        monkeypatch.setattr(city.runtime, "observe", away)
        assert await glimpse(city.world, Key(1, 1)) is None
