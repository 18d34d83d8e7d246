"""Every call of every port fails once, before and after its effect, in the middle of a life: it ends the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.town import Call, Weather, town

_LIVES = 5
"""So many lives at most until one makes the call that is to fail."""


async def live(folder: Path, weather: Weather) -> None:
    """Opened, pushed, redeployed, closed; what must be true at each end is looked at there."""
    async with town(folder, weather) as city:
        await city.settle()
        pull = await city.open()
        assert "**Preview is ready**" in city.comment(pull)
        assert city.deployment(pull.sha) == "success"
        await city.push(pull, {"web/x": "2"})
        assert f"commit `{pull.sha[:7]}`" in city.comment(pull)
        observed = await city.observed(pull)
        assert len(observed.releases) == 1
        assert len(observed.routes) == 1
        reactions = await city.say(pull, "alice", "/redeploy")
        assert sorted(reactions) == ["+1", "eyes"]
        assert "**Preview is ready**" in city.comment(pull)
        city.github.close(city.hosted, pull)
        await city.settle()
        assert (await city.observed(pull)).is_empty
        assert not city.builder.running()
        assert "**Preview removed** when the pull request was closed" in city.comment(pull)
        assert {each.statuses[-1].state for each in city.hosted.deployments} == {"inactive"}
        assert len({each.sha for each in city.hosted.deployments}) == len(city.hosted.deployments) == 2


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_each_failing_call_of_each_port_changes_nothing_in_the_end(tmp_path: Path, after: bool) -> None:
    calm = Weather()
    await live(tmp_path / "calm", calm)
    failed: list[tuple[Call, str]] = []
    chosen = [call for call in calm.calls if call[2] < 4]
    for number, call in enumerate(chosen):
        # Telling people goes on beside the work, so that one life may make a call less: then it is lived again.
        for life in range(_LIVES):
            weather = Weather(fails=call, after=after)
            try:
                await live(tmp_path / f"{number}-{life}", weather)
            except AssertionError as wrong:
                failed.append((call, str(wrong)[:300]))
            if weather.struck:
                break
        assert weather.struck, call
    assert not failed, failed
    assert len(chosen) > 60
