"""What the operator's metrics say after a life of pull requests: every number is of something that happened."""

from __future__ import annotations

from datetime import timedelta

import pytest

from previewbot.core.ids import Key
from previewbot.core.model import BuildState
from tests.fakes.builder import Outcome
from tests.stories.town import Town


def value(city: Town, name: str, **labels: str) -> float:
    return city.metrics.registry.get_sample_value(f"previewbot_{name}", labels) or 0.0


async def test_every_release_is_timed_once_from_its_delivery(city: Town) -> None:
    pull = await city.open()
    assert value(city, "push_to_url_seconds_count") == 1
    await city.store.add([city.key(pull)], city.clock.now())
    await city.settle()
    assert value(city, "push_to_url_seconds_count") == 1
    await city.push(pull, {"web/x": "2"})
    assert value(city, "push_to_url_seconds_count") == 2


async def test_what_waited_for_people_is_timed_from_what_they_did(city: Town) -> None:
    """A draft that becomes ready after a week, and a rebuild of an old commit, are as fast as anything else."""
    pull = await city.open(draft=True)
    city.clock.ahead += timedelta(days=7)
    city.github.set_draft(city.hosted, pull, draft=False)
    await city.settle()
    assert value(city, "push_to_url_seconds_count") == 1
    city.clock.ahead += timedelta(days=7)
    await city.say(pull, "alice", "/redeploy")
    assert value(city, "push_to_url_seconds_count") == 2
    assert value(city, "push_to_url_seconds_sum") < timedelta(hours=1).total_seconds()


async def test_builds_actions_and_passes_are_counted_by_what_they_came_to(city: Town) -> None:
    pull = await city.open()
    assert value(city, "build_seconds_count", result="succeeded") == 2
    assert value(city, "actions_total", action="StartBuild", outcome="done") == 2
    assert value(city, "actions_total", action="Route", outcome="done") == 1
    assert value(city, "pass_seconds_count", kind="key", outcome="done") >= 1
    city.builder.outcome = lambda _: Outcome(BuildState.FAILED)
    await city.push(pull, {"web/x": "2"})
    assert value(city, "build_seconds_count", result="failed") == 1


async def test_what_fails_is_counted_as_what_happens_next(city: Town) -> None:
    pull = await city.open()
    city.weather.fails = ("runtime", "delete", 0)
    city.github.close(city.hosted, pull)
    await city.settle()
    assert value(city, "actions_total", action="DeleteEnvironment", outcome="transient") == 1
    assert value(city, "actions_total", action="DeleteEnvironment", outcome="done") == 1
    assert value(city, "pass_seconds_count", kind="key", outcome="transient") == 1


async def test_what_the_sweep_finds_is_counted(city: Town) -> None:
    city.github.hooks.lose = True
    pull = await city.open()
    await city.sweep()
    assert value(city, "repairs_total", what="commit") == 1
    city.github.close(city.hosted, pull)
    await city.sweep()
    assert value(city, "repairs_total", what="closing") == 1
    again = sum(each.redelivery for each in city.github.state.attempts)
    assert value(city, "repairs_total", what="delivery") == again > 0


async def test_orphans_and_drift_are_counted(city: Town) -> None:
    pull = await city.open()
    (running,) = (await city.observed(pull)).releases
    await city.runtime.remove(city.key(pull), running.revision)
    await city.store.add([city.key(pull)], city.clock.now())
    await city.settle()
    assert value(city, "repairs_total", what="drift") == 1
    await city.store.forget(city.key(pull))
    await city.sweep()
    assert value(city, "repairs_total", what="orphan") == 1


@pytest.mark.parametrize("found", [None, ()], ids=["deleted", "changed"])
async def test_a_route_that_is_put_back_counts_as_drift(city: Town, found: tuple[str, ...] | None) -> None:
    key = city.key(await city.open())
    (host,) = (await city.front_door.observe(key)).keys()
    kept = dict(city.front_door.routes.pop(key))
    if found is not None:
        city.front_door.routes[key] = {host: found}
    await city.store.add([key], city.clock.now())
    await city.settle()
    assert await city.front_door.observe(key) == kept
    assert value(city, "repairs_total", what="drift") == 1


async def test_a_route_whose_addresses_alone_are_others_is_no_drift(city: Town) -> None:
    key = city.key(await city.open())
    (host,) = (await city.front_door.observe(key)).keys()
    city.front_door.routes[key] = {host: ("10.0.0.9:1",)}
    await city.store.add([key], city.clock.now())
    await city.settle()
    assert await city.front_door.observe(key) != {host: ("10.0.0.9:1",)}
    assert value(city, "repairs_total", what="drift") == 0


async def test_what_waits_and_what_github_takes_is_read_when_somebody_asks(city: Town) -> None:
    pull = await city.open()
    now = city.clock.now()
    await city.store.add([Key(city.hosted.id, 77), Key(city.hosted.id, 78)], now - timedelta(seconds=90))
    await city.metrics.measure(city.store, city.world.hub, now)
    assert value(city, "queue_depth") == 2
    assert value(city, "queue_oldest_seconds") == pytest.approx(90, abs=0.01)
    assert value(city, "environments", state="ready", reason="serving") == 1
    asked = city.github.limits.left(city.github.state.installations["acme"].id).used
    assert value(city, "github_requests_left") == 5000 - asked < 5000
    written = sum(method != "GET" and path.startswith("/repos/") for method, path in city.github.requests)
    assert value(city, "github_writes_left") == 500 - written < 500
    city.github.close(city.hosted, pull)
    await city.settle()
    await city.metrics.measure(city.store, city.world.hub, city.clock.now())
    assert value(city, "queue_depth") == value(city, "queue_oldest_seconds") == 0
    assert value(city, "environments", state="ready", reason="serving") == 0
