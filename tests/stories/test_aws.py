"""A full stack whose secrets, files and messages are in AWS, as the configuration says it: nothing of it is left."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import pytest

from previewbot.adapters.aws import Account
from previewbot.app import open_cloud, open_secrets, policy_of
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.demo.github.state import Pull
from previewbot.ports import Value
from previewbot.settings import Settings
from tests.fixtures.aws import ACCOUNT
from tests.fixtures.github import Over
from tests.stories import clouded
from tests.stories.town import Town, town

pytestmark = pytest.mark.slow

SECRETIVE = """\
    secrets: [STRIPE_KEY, SESSION_KEY]
    env:
      DATABASE_URL: ${resources.db.url}"""
BLUEPRINT = f"""\
{clouded.BLUEPRINT.replace("    env:", SECRETIVE)}secrets: {{SESSION_KEY: {{generate: 40}}}}
"""


@dataclass(frozen=True)
class Place:
    """A town, and where in AWS it is."""

    city: Town
    account: Account
    prefix: str

    def everything(self) -> dict[str, list[str]]:
        """What is in there, by names."""
        s3, sqs, iam, ssm = map(self.account.open, ("s3", "sqs", "iam", "ssm"))
        found = {
            "buckets": [each["Name"] for each in s3.list_buckets()["Buckets"]],
            "queues": [each.rpartition("/")[2] for each in sqs.list_queues().get("QueueUrls", ())],
            "users": [each["UserName"] for each in iam.list_users()["Users"]],
            "policies": [each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]],
            "parameters": [
                each["Name"].lstrip("/")
                for page in ssm.get_paginator("describe_parameters").paginate()
                for each in page["Parameters"]
            ],
        }
        return {kind: [each for each in names if each.startswith(self.prefix)] for kind, names in found.items()}

    async def told(self, pull: Pull) -> dict[str, str]:
        """The secret variables of the app."""
        (release,) = [each for each in (await self.city.observed(pull)).releases if not each.resource]
        return dict(self.city.runtime.sealed(self.city.key(pull), release.revision)["web"])


@pytest.fixture
async def place(tmp_path: Path, over: Over, aws_account: Account) -> AsyncIterator[Place]:
    prefix = f"t{uuid.uuid4().hex[:9]}"
    aws = {"account": ACCOUNT, "region": aws_account.region, "endpoint_url": aws_account.endpoint_url, "prefix": prefix}
    github = {"app_id": 1, "private_key_file": "k", "webhook_secret_files": ["s"]}
    settings = Settings(github=github, aws=aws, resources={"aws": ["storage", "queue"]})
    async with town(tmp_path, over=over) as city:
        await city.settle()
        city.world = replace(city.world, secrets=open_secrets(settings), cloud=open_cloud(settings))
        city.policy = replace(city.policy, shelf=policy_of(settings).shelf)
        await city.world.secrets.put(Scope("shop", "preview"), SecretName(SHARED, "STRIPE_KEY"), Value("sk_live_4242"))
        yield Place(city, aws_account, prefix)


SET = f"shop/preview/{SHARED}/STRIPE_KEY"


async def test_after_closing_no_bucket_queue_user_policy_or_parameter_of_it_is_there(place: Place) -> None:
    city = place.city
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    assert "**Preview is ready**" in city.comment(pull)
    there = place.everything()
    assert {kind: len(names) for kind, names in there.items()} == {
        "buckets": 1,
        "queues": 1,
        "users": 2,
        "policies": 0,
        "parameters": 1 + 2 + 2 + 1 + 1,  # what is set, two pairs of keys, a password, and what is generated
    }
    told = await place.told(pull)
    assert told["STRIPE_KEY"] == "sk_live_4242"
    own = boto3.client(
        "s3", region_name=place.account.region, endpoint_url=place.account.endpoint_url,
        aws_access_key_id=told["KEY"], aws_secret_access_key=told["SECRET"],
    )  # fmt: skip
    # The server here reads no conditions, and would shut everybody out, not just those without TLS.
    place.account.open("s3").delete_bucket_policy(Bucket=there["buckets"][0])
    for body in (b"one", b"two"):
        own.put_object(Bucket=there["buckets"][0], Key="a file", Body=body)
    city.github.close(city.hosted, pull)
    await city.settle()
    assert place.everything() == {
        "buckets": [],
        "queues": [],
        "users": [],
        "policies": [],
        "parameters": [f"{place.prefix}/{SET}"],
    }
    assert "**Preview removed**" in city.comment(pull)


async def test_what_a_lost_database_forgot_is_found_in_aws_and_goes(place: Place) -> None:
    city = place.city
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    key = city.key(pull)
    city.github.hooks.lose = True
    city.github.close(city.hosted, pull)
    await city.store.forget(key)
    await city.runtime.delete(key)
    await city.front_door.route(key, {})
    await city.sweep()
    assert place.everything()["parameters"] == [f"{place.prefix}/{SET}"]
    assert not any(names for kind, names in place.everything().items() if kind != "parameters")


async def test_a_changed_value_is_another_release_and_the_databases_and_keys_stay(place: Place) -> None:
    city = place.city
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    before = await place.told(pull)
    await city.world.secrets.put(Scope("shop", "preview"), SecretName(SHARED, "STRIPE_KEY"), Value("sk_live_4343"))
    await city.say(pull, "alice", "/redeploy")
    assert await place.told(pull) == {**before, "STRIPE_KEY": "sk_live_4343"}
