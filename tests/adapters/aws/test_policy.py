"""The rights that the operator's pages name are enough for everything that is done in AWS, and each is needed."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from previewbot.adapters.aws import Account, AwsCloud
from previewbot.adapters.secrets import ManagedSecrets, ParameterSecrets
from previewbot.core.cloud import Cloud
from previewbot.core.errors import Refused
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.ports import Value
from tests.adapters.aws.rights import actions, policies, somebody
from tests.adapters.aws.test_cloud import FILES, JOBS, KEY

CLOUD, BOUNDARY = policies(Path("deploy/aws.md"))
Kind = type[ParameterSecrets | ManagedSecrets]
KINDS: tuple[Kind, ...] = (ParameterSecrets, ManagedSecrets)
STORES = dict(zip(KINDS, policies(Path("deploy/secrets.md")), strict=True))

UNSEEN = {
    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"),
    *("s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration"),
    *("sqs:ListQueues", "sqs:SetQueueAttributes", "sqs:TagQueue", "iam:GetUser", "iam:TagUser"),
}
"""Rights that only another day needs, or that AWS asks for and the server here does not."""


async def in_cloud(account: Account, cloud: Cloud) -> None:
    made = AwsCloud(account, cloud)
    for each in (FILES, JOBS):
        await made.provide(KEY, "shop", each)
    assert await made.keys() == {KEY}
    await made.delete(KEY)


async def in_store(account: Account, kind: Kind) -> None:
    store = kind(account, f"p{uuid.uuid4().hex[:10]}", "main")
    scope, own, name = Scope("shop", "preview"), Scope.own(KEY), SecretName(SHARED, "TOKEN")
    await store.check()
    for _ in range(2):
        for each in (scope, own):
            await store.put(each, name, Value("x"))
            assert await store.versions(each, [name])
            assert await store.values(each, [name])
        await store.versions(scope)
        await store.remove(scope, name)
    assert await store.keys() == {KEY}
    await store.forget(own)


async def test_the_rights_for_buckets_and_queues_are_enough(
    aws_account: Account, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody(aws_account, actions(CLOUD), monkeypatch):
        await in_cloud(aws_account, cloud)


@pytest.mark.slow
@pytest.mark.parametrize("right", sorted(actions(CLOUD) - UNSEEN))
async def test_every_right_for_buckets_and_queues_is_needed(
    aws_account: Account, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    with (
        somebody(aws_account, actions(CLOUD) - {right}, monkeypatch),
        pytest.raises(Refused, match=r"AccessDenied|Forbidden|403"),
    ):
        await in_cloud(aws_account, cloud)


@pytest.mark.parametrize("kind", STORES)
async def test_the_rights_for_secrets_are_enough(
    aws_account: Account, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    with somebody(aws_account, actions(STORES[kind]), monkeypatch):
        await in_store(aws_account, kind)


_NEEDED = [(kind, right) for kind, policy in STORES.items() for right in sorted(actions(policy))]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "right"), _NEEDED)
async def test_every_right_for_secrets_is_needed(
    aws_account: Account, monkeypatch: pytest.MonkeyPatch, kind: Kind, right: str
) -> None:
    with (
        somebody(aws_account, actions(STORES[kind]) - {right}, monkeypatch),
        pytest.raises(Refused, match=r"AccessDenied"),
    ):
        await in_store(aws_account, kind)


def test_the_rights_for_secrets_name_previews_alone() -> None:
    for policy in STORES.values():
        for statement in policy["Statement"]:
            of = statement["Resource"]
            assert (
                of == "*"
                if statement["Action"] == ["secretsmanager:ListSecrets"]
                else all("/*/preview" in each for each in of)
            )


def test_the_boundary_ends_where_the_names_end() -> None:
    (statement,) = BOUNDARY["Statement"]
    assert not any(each.startswith(("iam:", "sts:", "*")) for each in statement["Action"])
    assert all("previewbot-*" in each or ":kms:" in each for each in statement["Resource"])
