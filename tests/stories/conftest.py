"""What stories share: a town that has settled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.github import Over
from tests.stories.town import Town, town


@pytest.fixture
async def city(tmp_path: Path, over: Over) -> AsyncIterator[Town]:
    async with town(tmp_path, over=over) as made:
        await made.settle()
        yield made
