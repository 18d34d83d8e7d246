"""An app whose files and messages are in a cloud: made before it starts, its own alone, and gone when it goes."""

from __future__ import annotations

import pytest

from previewbot.core.cloud import TYPES, Cloud
from previewbot.core.model import ServiceSpec
from previewbot.core.secrets import Scope, SecretName
from previewbot.ports import Value
from tests.fakes.cloud import FakeCloud
from tests.fakes.runtime import READY, Behaviour
from tests.stories.clouded import BLUEPRINT
from tests.stories.town import Town

CLOUD = Cloud("123456789012", "eu-central-1", "previewbot", "main", frozenset(TYPES))


@pytest.fixture
def cloud(city: Town) -> FakeCloud:
    """The city's cloud, and an operator who uses it."""
    made = FakeCloud()
    city.use(made, CLOUD)
    return made


async def test_it_is_made_before_the_app_starts_which_alone_knows_its_credentials(city: Town, cloud: FakeCloud) -> None:
    seen: dict[str, ServiceSpec] = {}

    def note(spec: ServiceSpec) -> Behaviour:
        seen[spec.name] = spec
        return READY

    city.runtime.behave = note
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    assert "**Preview is ready**" in city.comment(pull)
    key, web = city.key(pull), seen["web"]
    assert set(seen) == {"web", "db"}
    assert set(cloud.there) == {(key, "files"), (key, "jobs")}
    name = CLOUD.name(key, "files")
    assert web.env["BUCKET"] == name
    assert web.env["QUEUE"] == f"https://sqs.eu-central-1.amazonaws.com/123456789012/{CLOUD.name(key, 'jobs')}"
    assert {"KEY", "SECRET"} == set(web.sealed)
    (release,) = [each for each in (await city.observed(pull)).releases if not each.resource]
    started = city.runtime.sealed(key, release.revision)["web"]
    assert (started["KEY"], started["SECRET"]) == ("AKIA1", "cloud-secret-1")
    assert web.needs == (), "nothing of it is in the environment"


async def test_a_push_makes_nothing_anew(city: Town, cloud: FakeCloud) -> None:
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    await city.push(pull, {"x": "2"})
    assert "**Preview is ready**" in city.comment(pull)
    assert cloud.made == 2


async def test_a_lost_record_leaves_no_bucket_and_no_credential(city: Town, cloud: FakeCloud) -> None:
    pull, other = [await city.open(files={"previewbot.yaml": BLUEPRINT, "x": each}) for each in "12"]
    await city.store.forget(city.key(pull))
    await city.push(pull, {"x": "3"})
    assert cloud.made == 4, "what is there is kept"
    city.github.close(city.hosted, pull)
    await city.settle()
    assert {key for key, _ in cloud.there} == {city.key(other)}
    city.github.hooks.lose = True
    city.github.close(city.hosted, other)
    await city.runtime.delete(city.key(other))
    await city.front_door.route(city.key(other), {})
    await city.secrets.forget(Scope.own(city.key(other)))
    await city.store.forget(city.key(other))
    await city.sweep()
    assert cloud.there == {}, "the cloud alone knew of it"


async def test_nothing_is_made_in_a_cloud_while_a_secret_is_missing(city: Town, cloud: FakeCloud) -> None:
    needy = BLUEPRINT.replace("    env:\n", "    secrets: [STRIPE_KEY]\n    env:\n")
    pull = await city.open(files={"previewbot.yaml": needy})
    assert "`STRIPE_KEY` (web)" in city.comment(pull)
    assert cloud.made == 0
    assert city.secrets.everything() == {}
    await city.secrets.put(Scope("shop", "preview"), SecretName("shared", "STRIPE_KEY"), Value("sk_live_4242"))
    await city.say(pull, "alice", "/redeploy")
    assert "**Preview is ready**" in city.comment(pull)
    assert cloud.made == 2


async def test_it_goes_with_the_environment_however_many_calls_that_takes(city: Town, cloud: FakeCloud) -> None:
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    cloud.rounds = 3
    city.github.close(city.hosted, pull)
    await city.settle()
    assert cloud.there == {}
    assert not (await city.record(pull)).keeps_secrets
    assert city.secrets.everything() == {}
