"""The rights that the operator's page names are enough for everything that is done in AWS, and each is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.aws import Account, AwsCloud
from previewbot.core.cloud import Cloud
from previewbot.core.errors import Refused
from tests.adapters.aws.test_cloud import FILES, JOBS, KEY, client, enforced

PAGE = Path("deploy/aws.md")
UNSEEN = {
    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"),
    *("s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration"),
    *("sqs:ListQueues", "sqs:SetQueueAttributes", "sqs:TagQueue", "iam:GetUser", "iam:TagUser"),
}
"""Rights that only another day needs, or that AWS asks for and the server here does not."""


def policies() -> list[dict[str, Any]]:
    return [json.loads(each) for each in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]


def actions(policy: dict[str, Any]) -> set[str]:
    return {each for statement in policy["Statement"] for each in statement["Action"]}


async def life(account: Account, cloud: Cloud, allowed: Collection[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide and delete as somebody who may do only this."""
    iam, name = client(account, "iam"), f"{cloud.instance}-{len(allowed)}-{hash(frozenset(allowed))}"
    iam.create_user(UserName=name)
    # The server looks at no resource but those of S3.
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": sorted(allowed), "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patched.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        made = AwsCloud(account, cloud)
        with enforced(account):
            for each in (FILES, JOBS):
                await made.provide(KEY, "shop", each)
            await made.delete(KEY)


async def test_the_rights_on_the_page_are_enough(
    aws_account: Account, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await life(aws_account, cloud, actions(policies()[0]), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("right", sorted(actions(policies()[0]) - UNSEEN))
async def test_every_right_is_needed(
    aws_account: Account, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    with pytest.raises(Refused, match=r"AccessDenied|Forbidden|403"):
        await life(aws_account, cloud, actions(policies()[0]) - {right}, monkeypatch)


def test_the_boundary_ends_where_the_names_end() -> None:
    (_, boundary) = policies()
    (statement,) = boundary["Statement"]
    assert not any(each.startswith(("iam:", "sts:", "*")) for each in statement["Action"])
    assert all("previewbot-*" in each or ":kms:" in each for each in statement["Resource"])
