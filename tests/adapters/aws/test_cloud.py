"""What is made in AWS is private, encrypted and tagged, opens for its own user alone, and goes to its last version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from previewbot.adapters.aws import Account, AwsCloud, Rules
from previewbot.adapters.aws.users import PATH
from previewbot.core.blueprint import Resource, ResourceType
from previewbot.core.cloud import Cloud
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.ports import Credentials
from tests.adapters.aws.rights import enforced
from tests.fixtures.aws import REGION

KEY, OTHER = Key(7, 42), Key(7, 43)
FILES, JOBS = Resource("files", ResourceType.STORAGE), Resource("jobs", ResourceType.QUEUE)
KMS = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
async def swept(aws_cloud: AwsCloud) -> Any:
    """The cloud, with nothing left in it afterwards."""
    yield aws_cloud
    for key in (KEY, OTHER):
        assert await aws_cloud.delete(key)


def client(account: Account, service: str, credentials: Credentials | None = None) -> Any:
    if credentials is None:
        return account.open(service)
    return boto3.client(
        service, region_name=REGION, endpoint_url=account.endpoint_url,
        aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key.text,
    )  # fmt: skip


def without_policy(account: Account, *names: str) -> None:
    """The server reads no conditions, and would shut everybody out, not just those without TLS."""
    for name in names:
        client(account, "s3").delete_bucket_policy(Bucket=name)


async def test_a_bucket_is_private_encrypted_and_says_whose_it_is(
    swept: AwsCloud, cloud: Cloud, aws_account: Account
) -> None:
    await swept.provide(KEY, "shop", FILES)
    s3, name = client(aws_account, "s3"), cloud.name(KEY, "files")
    shut = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert len(shut) == 4
    assert all(shut.values())
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert tags == {
        "previewbot:instance": cloud.instance,
        "previewbot:key": "pr-7-42",
        "previewbot:app": "shop",
        "previewbot:resource": "files",
    }
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=name)["Policy"]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION


async def test_a_queue_is_encrypted_and_says_whose_it_is(swept: AwsCloud, cloud: Cloud, aws_account: Account) -> None:
    await swept.provide(KEY, "shop", JOBS)
    sqs = client(aws_account, "sqs")
    url = sqs.get_queue_url(QueueName=cloud.name(KEY, "jobs"))["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["SqsManagedSseEnabled"] == "true"
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"]["previewbot:key"] == "pr-7-42"


async def test_the_operators_key_encrypts_both(aws_account: Account, cloud: Cloud) -> None:
    made = AwsCloud(aws_account, cloud, Rules(KMS))
    for each in (FILES, JOBS):
        await made.provide(KEY, "shop", each)
    s3, sqs, iam = (client(aws_account, each) for each in ("s3", "sqs", "iam"))
    found = s3.get_bucket_encryption(Bucket=cloud.name(KEY, "files"))["ServerSideEncryptionConfiguration"]["Rules"]
    assert found[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KMS}
    url = sqs.get_queue_url(QueueName=cloud.name(KEY, "jobs"))["QueueUrl"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["KmsMasterKeyId"] == KMS
    policy = iam.get_user_policy(UserName=cloud.name(KEY, "jobs"), PolicyName="own")["PolicyDocument"]
    assert policy["Statement"][-1] == {
        "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": [KMS],
    }  # fmt: skip
    assert await made.delete(KEY)


async def test_credentials_open_their_own_bucket_and_nothing_else(
    swept: AwsCloud, cloud: Cloud, aws_account: Account
) -> None:
    own, foreign = [await swept.provide(key, "shop", FILES) for key in (KEY, OTHER)]
    queue = await swept.provide(KEY, "shop", JOBS)
    s3 = client(aws_account, "s3", own)
    mine, theirs = cloud.name(KEY, "files"), cloud.name(OTHER, "files")
    without_policy(aws_account, mine, theirs)
    with enforced(aws_account):
        s3.put_object(Bucket=mine, Key="a", Body=b"x")
        assert s3.get_object(Bucket=mine, Key="a")["Body"].read() == b"x"
        for refused in (
            lambda: s3.put_object(Bucket=theirs, Key="a", Body=b"x"),
            lambda: s3.list_objects_v2(Bucket=theirs),
            s3.list_buckets,
            lambda: s3.delete_bucket(Bucket=mine),
            lambda: s3.put_bucket_policy(Bucket=mine, Policy="{}"),
            lambda: client(aws_account, "iam", own).list_users(),
            lambda: client(aws_account, "sqs", own).list_queues(),
            lambda: client(aws_account, "s3", queue).list_objects_v2(Bucket=mine),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                refused()
    # The server knows no rights on one queue alone, so what they are is read.
    read = client(aws_account, "iam").get_user_policy(UserName=cloud.name(KEY, "jobs"), PolicyName="own")
    (statement,) = read["PolicyDocument"]["Statement"]
    assert statement["Resource"] == [f"arn:aws:sqs:{REGION}:{cloud.account}:{cloud.name(KEY, 'jobs')}"]
    assert {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueUrl"} < set(statement["Action"])
    assert foreign.access_key != own.access_key


async def test_a_bucket_goes_with_all_versions_and_open_uploads_and_no_other_goes(
    aws_account: Account, cloud: Cloud, aws_cloud: AwsCloud
) -> None:
    neighbour = AwsCloud(aws_account, replace(cloud, instance="another"))
    for each in (aws_cloud, neighbour):
        await each.provide(KEY, "shop", FILES)
    s3, name = client(aws_account, "s3"), cloud.name(KEY, "files")
    without_policy(aws_account, name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket=name, Key="twice", Body=str(number).encode())
    s3.delete_object(Bucket=name, Key="twice")
    s3.create_multipart_upload(Bucket=name, Key="half")
    assert await aws_cloud.delete(KEY)
    assert name not in {each["Name"] for each in s3.list_buckets()["Buckets"]}
    users = [each["UserName"] for each in client(aws_account, "iam").list_users(PathPrefix=PATH)["Users"]]
    assert not any(each.startswith(cloud.head(KEY)) for each in users)
    s3.head_bucket(Bucket=replace(cloud, instance="another").name(KEY, "files"))
    assert await neighbour.delete(KEY)


async def test_a_user_elsewhere_that_has_the_name_is_left_alone(
    swept: AwsCloud, cloud: Cloud, aws_account: Account
) -> None:
    iam, name = client(aws_account, "iam"), cloud.name(KEY, "files")
    iam.create_user(UserName=name)
    with pytest.raises(Refused, match="not previewbot's, and is left alone"):
        await swept.provide(KEY, "shop", FILES)
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []
    iam.delete_user(UserName=name)


async def test_credentials_of_another_account_are_refused(aws_account: Account, cloud: Cloud) -> None:
    with pytest.raises(Refused, match=r"of the account 123456789012, and aws\.account is 999999999999"):
        await AwsCloud(aws_account, replace(cloud, account="999999999999")).check()
