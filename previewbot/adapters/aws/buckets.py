"""S3 buckets: making one as it should be, and emptying and deleting those of an environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from previewbot.adapters.aws.session import Client
from previewbot.adapters.aws.users import allow

_FIRST_REGION = "us-east-1"
_PAGES_AT_ONCE = 20
"""Pages of a thousand objects that are deleted before somebody looks around again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a bucket should be."""

    name: str
    account: str
    region: str
    tags: Mapping[str, str]
    kms_key: str | None


def make(s3: Client, order: Order) -> None:
    """Make a bucket that is private and encrypted, or mend the one that is there; one of others is not touched."""
    where = {} if order.region == _FIRST_REGION else {"LocationConstraint": order.region}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=order.name, **({"CreateBucketConfiguration": where} if where else {}))
    own: dict[str, Any] = {"Bucket": order.name, "ExpectedBucketOwner": order.account}
    shut = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(**own, PublicAccessBlockConfiguration=shut)
    s3.put_bucket_ownership_controls(**own, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    s3.put_bucket_encryption(**own, ServerSideEncryptionConfiguration={"Rules": [_encryption(order.kms_key)]})
    s3.put_bucket_policy(**own, Policy=json.dumps({"Version": "2012-10-17", "Statement": [_only_tls(order.name)]}))
    tags = [{"Key": name, "Value": value} for name, value in order.tags.items()]
    s3.put_bucket_tagging(**own, Tagging={"TagSet": tags})


def _encryption(kms_key: str | None) -> dict[str, Any]:
    usual = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key} if kms_key else {"SSEAlgorithm": "AES256"}
    return {"ApplyServerSideEncryptionByDefault": usual, "BucketKeyEnabled": bool(kms_key)}


def _only_tls(name: str) -> dict[str, Any]:
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    return {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Condition": plain,
            "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]}  # fmt: skip


def rights(name: str) -> list[dict[str, Any]]:
    """What its user may do: everything with its objects, and nothing with the bucket itself."""
    bucket = f"arn:aws:s3:::{name}"
    objects = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts")
    return [
        allow(["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket]),
        allow([f"s3:{each}" for each in objects], [f"{bucket}/*"]),
    ]


def named(s3: Client, head: str) -> list[str]:
    """The buckets whose names begin like this."""
    pages = s3.get_paginator("list_buckets").paginate(Prefix=head)
    names = (each["Name"] for page in pages for each in page.get("Buckets", ()))
    return [name for name in names if name.startswith(head)]


def delete(s3: Client, head: str, owner: str) -> bool:
    """Empty and delete the buckets whose names begin like this; ``True`` while there is more to be done."""
    left = [name for name in named(s3, head) if not _delete(s3, {"Bucket": name, "ExpectedBucketOwner": owner})]
    return bool(left)


def _delete(s3: Client, own: Mapping[str, str]) -> bool:
    try:
        if not _empty(s3, own):
            return False
        s3.delete_bucket(**own)
    except s3.exceptions.NoSuchBucket:
        return True
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "BucketNotEmpty":  # somebody wrote meanwhile
            return False
        raise
    return True


def _empty(s3: Client, own: Mapping[str, str]) -> bool:
    """Delete objects, all their versions and uploads that never ended; ``False`` where there are more."""
    for upload in s3.list_multipart_uploads(**own).get("Uploads", ()):
        s3.abort_multipart_upload(**own, Key=upload["Key"], UploadId=upload["UploadId"])
    for _ in range(_PAGES_AT_ONCE):
        page = s3.list_object_versions(**own, MaxKeys=1000)
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not found:
            return True
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        s3.delete_objects(**own, Delete={"Objects": objects, "Quiet": True})
    return False
