"""How long a release took to come up: told with its URL, measured once, and never a reason to write to GitHub again."""

from __future__ import annotations

import re
from datetime import timedelta

from previewbot.core.model import InstanceState
from tests.fakes.runtime import READY, SLOW, Behaviour
from tests.stories.town import BLUEPRINT, Town

HOOKED = BLUEPRINT + "hooks: {release: {service: web, command: [migrate]}}\n"
DONE = Behaviour(InstanceState.DONE)


async def test_the_start_of_a_quick_app_is_told_beside_the_push(city: Town) -> None:
    pull = await city.open()
    assert re.search(r" · \d\.\d s from push to URL · started in \d\.\d s · since ", city.comment(pull))


async def test_what_somebody_asked_for_is_counted_from_there_until_the_next_push(city: Town) -> None:
    pull = await city.open()
    await city.say(pull, "alice", "/redeploy")
    assert re.search(r" · \d\.\d s from `/redeploy` to URL · ", city.comment(pull))
    await city.push(pull, {"web/x": "2"})
    assert re.search(r" · \d\.\d s from push to URL · ", city.comment(pull))


async def test_it_counts_from_the_first_program_and_is_told_once(city: Town) -> None:
    city.runtime.behave = lambda _: SLOW
    pull = await city.github.open_pull(
        city.hosted, title="x", author="alice", files={"previewbot.yaml": HOOKED, "web/x": "1"}
    )
    await city.pass_time(timedelta(seconds=20))
    (release,) = (await city.observed(pull)).releases
    assert [each.service for each in release.instances] == ["hook.release"]
    city.runtime.turn(city.key(pull), release.revision, "hook.release", DONE)
    await city.pass_time(timedelta(seconds=30))
    city.runtime.behave = lambda _: READY
    for service in ("web", "api"):
        city.runtime.turn(city.key(pull), release.revision, service, READY)
    await city.settle()

    text = city.comment(pull)
    told = re.search(r" · started in (\d+) s · ", text)
    assert told, text
    assert 45 <= int(told[1]) <= 70
    (comment,) = [each for each in pull.comments if "<!-- previewbot:pr-" in each.body]
    before = comment.updated_at
    city.clock.ahead += timedelta(hours=7)
    await city.sweep()
    assert (city.comment(pull), comment.updated_at) == (text, before)
