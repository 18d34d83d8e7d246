"""Trouble that passes: what people read meanwhile, and that everything ends as if there had been none."""

from __future__ import annotations

from pathlib import Path

from previewbot.core.model import BuildState, ImageOrder
from tests.fakes.builder import SUCCESS, Outcome
from tests.stories.town import town


async def test_a_build_that_was_put_off_ends_ready_without_a_push(tmp_path: Path) -> None:
    tries: list[str] = []

    def outcome(order: ImageOrder) -> Outcome:
        tries.append(order.service)
        put_off = Outcome(BuildState.CANCELLED, lines=("The engine went away.",))
        return put_off if tries.count(order.service) <= 3 else SUCCESS

    async with town(tmp_path) as city:
        city.builder.outcome = outcome
        pull = await city.open()
        assert "**Preview is ready**" in city.comment(pull)
        assert tries.count("web") == 4
        (deployment,) = city.hosted.deployments
        assert "failure" not in [each.state for each in deployment.statuses]
