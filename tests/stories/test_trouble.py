"""Trouble that passes: what people read meanwhile, and that everything ends as if there had been none."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest

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


@pytest.mark.slow
async def test_many_pull_requests_at_once_wait_for_github_without_a_false_word(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        await city.settle()
        before = len(city.github.requests)
        pulls = [
            await city.github.open_pull(
                city.hosted, title=f"Change {number}", author="alice", files={"web/x": str(number)}
            )
            for number in range(25)
        ]
        await city.settle(1000)
        for pull in pulls:
            assert "**Preview is ready**" in city.comment(pull)
        said = {status.state for each in city.hosted.deployments for status in each.statuses}
        assert said <= {"in_progress", "success"}
        asked = [path for method, path in city.github.requests[before:] if method == "GET"]
        assert len(asked) < 20 * len(pulls), collections.Counter(
            re.sub(r"\d+|[0-9a-f]{40}", "N", path) for path in asked
        )
