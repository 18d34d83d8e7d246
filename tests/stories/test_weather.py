"""Every call of every port fails once, before and after its effect, in the middle of a life: it ends the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from previewbot.core.cloud import TYPES, Cloud
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.ports import Value
from tests.fakes.cloud import FakeCloud
from tests.fakes.runtime import Behaviour
from tests.stories.town import Call, Weather, town

Life = Callable[[Path, Weather], Awaitable[None]]
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
        assert "**Preview is ready**" in city.comment(pull)
        assert {each.resource for each in (await city.observed(pull)).releases} == {None, "db", "cache"}
        await city.secrets.put(PREVIEW, SecretName(SHARED, "STRIPE_KEY"), Value("sk_live_2"))
        await city.push(pull, {"previewbot.yaml": STACK.replace("  cache: redis\n", "")})
        await city.settle()
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


_OFTEN = {"secrets": 6, "cloud": 6, "runtime": 2}
"""How many of the calls of a method fail, of the ports that a full stack has more of."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_each_failing_call_leaves_nothing_of_a_full_stack_and_shows_none_of_its_secrets(
    tmp_path: Path, after: bool
) -> None:
    calm = Weather()
    await live_fully(tmp_path / "calm", calm)
    chosen = [call for call in calm.calls if call[2] < _OFTEN.get(call[0], 0)]
    assert {("cloud", "provide"), ("cloud", "delete"), ("runtime", "remove_volumes")} <= {call[:2] for call in chosen}
    assert {method for port, method, _ in chosen if port == "secrets"} >= {"versions", "values", "put", "forget"}
    await _fail_each(chosen, tmp_path, after=after, live=live_fully)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_each_failing_call_of_each_port_changes_nothing_in_the_end(tmp_path: Path, after: bool) -> None:
    calm = Weather()
    await live(tmp_path / "calm", calm)
    chosen = [call for call in calm.calls if call[2] < 4]
    await _fail_each(chosen, tmp_path, after=after, live=live)
    assert len(chosen) > 60


async def _fail_each(chosen: Sequence[Call], folder: Path, *, after: bool, live: Life) -> None:
    failed: list[tuple[Call, str]] = []
    for number, call in enumerate(chosen):
        # Telling people goes on beside the work, so that one life may make a call less: then it is lived again.
        for life in range(_LIVES):
            weather = Weather(fails=call, after=after)
            try:
                await live(folder / f"{number}-{life}", weather)
            except AssertionError as wrong:
                failed.append((call, str(wrong)[:300]))
            if weather.struck:
                break
        assert weather.struck, call
    assert not failed, failed
