"""Every call of every port fails once, before and after its effect, in the middle of a life: it ends the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from previewbot.core.cloud import TYPES, Cloud
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.demo.github.state import Pull
from previewbot.ports import Value
from tests.fakes.cloud import FakeCloud
from tests.fakes.runtime import Behaviour
from tests.stories.town import Call, Kind, Town, Weather, town

Life = Callable[[Path, Weather], Awaitable[None]]
_LIVES = 5
"""So many lives at most until one makes the call that is to fail."""


async def live(folder: Path, weather: Weather) -> None:
    """Opened, pushed, redeployed, closed; what must be true at each end is looked at there."""
    async with town(folder, weather) as city:
        await city.settle()
        pull = await city.open()
        await _ready(city, pull)
        assert city.deployment(pull.sha) == "success"
        await city.push(pull, {"web/x": "2"})
        await _ready(city, pull)
        assert f"commit `{pull.sha[:7]}`" in city.comment(pull)
        observed = await city.observed(pull)
        assert len(observed.releases) == 1
        assert len(observed.routes) == 1
        reactions = await city.say(pull, "alice", "/redeploy")
        if city.weather.needs_a_person and "-1" in reactions:
            reactions = await city.say(pull, "alice", "/redeploy")
        assert sorted(reactions) == ["+1", "eyes"]
        await _ready(city, pull)
        city.github.close(city.hosted, pull)
        await city.settle()
        assert (await city.observed(pull)).is_empty
        assert not city.builder.running()
        assert "**Preview removed** when the pull request was closed" in city.comment(pull)
        assert {each.statuses[-1].state for each in city.hosted.deployments} == {"inactive"}
        assert len({each.sha for each in city.hosted.deployments}) == len(city.hosted.deployments) == 2


async def _ready(city: Town, pull: Pull) -> None:
    """It is ready; where something was refused, a person may have to ask once more."""
    if city.weather.needs_a_person and not any("**Preview is ready**" in each for each in city.comments(pull)):
        await city.say(pull, "alice", "/redeploy")
    assert "**Preview is ready**" in city.comment(pull)


STACK = """\
version: 1
app: shop
services:
  web:
    build: {context: web, secrets: [NPM_TOKEN]}
    port: 8080
    public: true
    env: {DATABASE_URL: "${resources.db.url}", BUCKET_KEY: "${resources.files.secret_key}"}
    secrets: [STRIPE_KEY, SESSION_KEY]
  restock: {kind: job, build: web, command: [restock], secrets: [STRIPE_KEY]}
resources:
  db: {type: postgres, seed: {service: web, command: [fill]}}
  files: storage
  cache: redis
hooks:
  release: {service: web, command: [migrate]}
  destroy: {service: web, command: [goodbye]}
secrets: {SESSION_KEY: {generate: 40}}
"""
PREVIEW = Scope("shop", "preview")
CLOUD = Cloud("123456789012", "eu-central-1", "previewbot", "main", frozenset(TYPES))


async def live_fully(folder: Path, weather: Weather) -> None:
    """With databases, secrets, hooks and a cloud: opened, a secret rotated, a resource dropped, a job run, closed."""
    async with town(folder, weather) as city:
        await city.settle()
        cloud = FakeCloud()
        city.use(cloud, CLOUD)
        city.runtime.behave = lambda spec: Behaviour(says=("with sk_live_1 and sk_live_2",))
        for name in ("NPM_TOKEN", "STRIPE_KEY"):
            await city.secrets.put(PREVIEW, SecretName(SHARED, name), Value("sk_live_1"))
        pull = await city.open(files={"previewbot.yaml": STACK})
        await _ready(city, pull)
        assert {each.resource for each in (await city.observed(pull)).releases} == {None, "db", "cache"}
        await city.secrets.put(PREVIEW, SecretName(SHARED, "STRIPE_KEY"), Value("sk_live_2"))
        await city.push(pull, {"previewbot.yaml": STACK.replace("  cache: redis\n", "")})
        await city.settle()
        await _ready(city, pull)
        observed = await city.observed(pull)
        (release,) = [each for each in observed.releases if each.resource is None]
        assert city.runtime.sealed(city.key(pull), release.revision)["web"]["STRIPE_KEY"] == "sk_live_2"
        assert len(observed.volumes) == 1
        await city.say(pull, "alice", "/run restock")
        await city.settle()
        assert not [each for each in pull.comments if "sk_live" in each.body]
        assert {name for _, name in cloud.there} == {"files"}
        city.github.close(city.hosted, pull)
        await city.settle()
        assert (await city.observed(pull)).is_empty
        assert cloud.there == {}
        assert set(city.secrets.everything()) == {PREVIEW}
        assert "**Preview removed** when the pull request was closed" in city.comment(pull)


async def live_on(folder: Path, weather: Weather) -> None:
    """What no event tells of, and what is kept too long: each sweep comes twice, for it mends what the last one missed.

    A log that is looked at, lost deliveries, a lost record, old images, an old memory, and an App that is taken away.
    """
    async with town(folder, weather) as city:
        await city.settle()
        pull = await city.open()
        await _ready(city, pull)
        (build,) = (await city.store.builds([city.builder.orders[0].image])).values()
        assert 200 in [await city.look(f"/logs/{build.log}") for _ in range(2)]

        city.github.hooks.lose = True
        other = await city.open(files={"web/x": "2"})
        city.github.close(city.hosted, pull)
        await city.github.hooks.settle()
        city.github.hooks.lose = False
        await _sweeps(city, timedelta(minutes=11))
        await _ready(city, other)
        assert (await city.observed(pull)).is_empty
        assert "**Preview removed** when the pull request was closed" in city.comment(pull)
        lost = {each.guid for each in city.github.state.attempts if each.status_code != 202}
        assert {each.guid for each in city.github.state.attempts if each.redelivery} == lost

        await city.store.forget(city.key(other))
        city.github.hooks.lose = True
        city.github.close(city.hosted, other)
        await _sweeps(city)
        assert (await city.observed(other)).is_empty
        await _sweeps(city, city.policy.keep_images + timedelta(minutes=1))
        assert not await city.builder.images()
        assert not await city.store.unused_images(city.clock.now())
        await _sweeps(city, city.policy.keep_history + timedelta(minutes=1))
        assert not await city.store.records()

        city.github.hooks.lose = False
        last = await city.open(files={"web/x": "3"})
        await _ready(city, last)
        city.github.uninstall(city.hosted)
        await city.settle()
        await _sweeps(city)
        assert (await city.observed(last)).is_empty
        assert not list((folder / "source").glob("*.git"))


async def _sweeps(city: Town, later: timedelta = timedelta(0)) -> None:
    city.clock.ahead += later
    await city.sweep()
    await city.sweep()


_SWEPT = {
    "hub": {"repositories", "open_pulls", "failed_deliveries", "redeliver"},
    "source": {"forget"},
    "builder": {"images", "discard"},
    "runtime": {"keys"},
    "front_door": {"keys"},
    "secrets": {"keys"},
    "store": {"records", "add", "unused_images", "forget_images", "prune", "release_hosts", "forget", "find_log"},
}
"""What only a life with sweeps calls."""

_STRIKES = [(kind, after) for kind in Kind for after in (False, True)]
strikes = pytest.mark.parametrize(
    ("kind", "after"), _STRIKES, ids=[f"{kind}-{'after' if after else 'before'}" for kind, after in _STRIKES]
)


_OFTEN = {"secrets": 6, "cloud": 6, "runtime": 2}
"""How many of the calls of a method fail, of the ports that a full stack has more of."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
@strikes
async def test_each_failing_call_leaves_nothing_of_a_full_stack_and_shows_none_of_its_secrets(
    tmp_path: Path, kind: Kind, after: bool
) -> None:
    calm = Weather()
    await live_fully(tmp_path / "calm", calm)
    chosen = [call for call in calm.calls if call[2] < _often(kind, _OFTEN.get(call[0], 0))]
    assert {("cloud", "provide"), ("cloud", "delete"), ("runtime", "remove_volumes")} <= {call[:2] for call in chosen}
    assert {method for port, method, _ in chosen if port == "secrets"} >= {"versions", "values", "put", "forget"}
    await _fail_each(chosen, tmp_path, Strike(live_fully, kind, after))


@pytest.mark.slow
@pytest.mark.timeout(1500)
@strikes
async def test_each_failing_call_of_each_port_changes_nothing_in_the_end(
    tmp_path: Path, kind: Kind, after: bool
) -> None:
    calm = Weather()
    await live(tmp_path / "calm", calm)
    chosen = [call for call in calm.calls if call[2] < _often(kind, 4)]
    assert len(chosen) > _often(kind, 60) > 0
    await _fail_each(chosen, tmp_path, Strike(live, kind, after))


@pytest.mark.slow
@pytest.mark.timeout(1500)
@strikes
async def test_each_failing_call_of_a_sweep_or_a_page_is_made_up_for(tmp_path: Path, kind: Kind, after: bool) -> None:
    calm = Weather()
    await live_on(tmp_path / "calm", calm)
    chosen = [call for call in calm.calls if call[1] in _SWEPT.get(call[0], ()) and call[2] < _often(kind, 3)]
    assert {call[:2] for call in chosen} == {(port, method) for port, methods in _SWEPT.items() for method in methods}
    await _fail_each(chosen, tmp_path, Strike(live_on, kind, after))


def _often(kind: Kind, most: int) -> int:
    """How many calls of a method fail: what is refused, and bugs, take one way wherever they come from."""
    return most if kind is Kind.TRANSIENT else min(most, 1)


@dataclass(frozen=True, slots=True)
class Strike:
    """Which life is lived, and how its call fails."""

    live: Life
    kind: Kind
    after: bool


async def _fail_each(chosen: Sequence[Call], folder: Path, strike: Strike) -> None:
    failed: list[tuple[Call, str]] = []
    for number, call in enumerate(chosen):
        # Telling people goes on beside the work, so that one life may make a call less: then it is lived again.
        for life in range(_LIVES):
            weather = Weather(fails=call, after=strike.after, kind=strike.kind)
            try:
                await strike.live(folder / f"{number}-{life}", weather)
            except AssertionError as wrong:
                failed.append((call, str(wrong)[:300]))
            if weather.struck:
                break
        assert weather.struck, call
    assert not failed, failed
