"""Errands: what is under way is not begun again, whole or in part, and what failed is told once."""

from __future__ import annotations

import asyncio

import pytest

from previewbot.core.ids import Key
from previewbot.engine.bells import Bells
from previewbot.engine.errands import Errands

WHOLE = ("r1", "api", "web")


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        (WHOLE, False),
        (("r1", "web"), False),
        (("r1",), False),
        (("r1", "web", "worker"), True),
        (("r2", "web"), True),
        (("web",), True),
    ],
    ids=["the same", "a part of it", "nothing more", "more than it", "about something else", "only called alike"],
)
async def test_what_is_under_way_is_not_begun_again(name: tuple[str, ...], begins: bool) -> None:
    begun: list[tuple[str, ...]] = []
    end = asyncio.Event()

    async def take(mine: tuple[str, ...]) -> bool:
        begun.append(mine)
        await end.wait()
        return False

    with Bells().listening(Key(1, 1)) as bell:
        async with Errands(bell) as errands:
            errands.run(WHOLE, lambda: take(WHOLE))
            errands.run(name, lambda: take(name))
            await asyncio.sleep(0)
            assert begun == [WHOLE, name] if begins else [WHOLE]
            end.set()
            await errands.settle()
            errands.run(WHOLE, lambda: take(WHOLE))
            await errands.settle()
    assert begun[-1] == WHOLE
    assert len(begun) == (3 if begins else 2), "what is over may be begun again"
