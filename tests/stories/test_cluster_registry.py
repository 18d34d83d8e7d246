"""A registry that goes in the middle of a story on a real cluster: told, and right by itself once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from previewbot.demo.story import said
from tests.cluster.state import Cluster
from tests.fixtures.cluster_stage import scene
from tests.fixtures.guarded import PULLS, Guarded

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_a_registry_that_goes_in_the_middle_is_told_and_the_preview_is_served_once_it_is_back(
    shut: Guarded, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "pull.json").write_text(shut.config(PULLS))
    async with scene(cluster, tmp_path) as made:
        visitor = await made.open()
        await made.is_served(visitor)
        before = visitor.pull.sha
        shut.stop()
        await made.push(visitor.pull, greeting="the registry is away\n")
        await made.reads(
            visitor.pull, "**previewbot is waiting**", f"The registry {shut.host} does not answer", patience=120
        )
        assert await visitor.serves(before), "what runs goes on"
        assert not said(visitor.pull, "**Preview is ready**", visitor.pull.sha[:7])
        shut.start()
        await made.is_served(visitor, patience=180)
        assert not said(visitor.pull, "The registry")
