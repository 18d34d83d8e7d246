"""IAM users: one for each bucket and queue, so that one environment's credentials open no other's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from previewbot.adapters.aws.session import Client
from previewbot.core.errors import Refused
from previewbot.core.model import Reason

PATH = "/previewbot/"
"""Where they are: an operator allows previewbot users below it, and no others."""
_POLICY = "own"


def allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    """One statement of a policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


@dataclass(frozen=True, slots=True)
class Order:
    """What a user should be."""

    name: str
    tags: Mapping[str, str]
    rights: Sequence[Mapping[str, Any]]
    boundary: str | None
    """The policy beyond which nobody whom previewbot makes can go."""


def make(iam: Client, order: Order) -> tuple[str, str]:
    """Make a user with just these rights; returns a new access key and its secret, and takes older ones away."""
    name, bounded = order.name, {"PermissionsBoundary": order.boundary} if order.boundary else {}
    tags = [{"Key": tag, "Value": value} for tag, value in order.tags.items()]
    try:
        iam.create_user(Path=PATH, UserName=name, Tags=tags, **bounded)
    except iam.exceptions.EntityAlreadyExistsException:
        if iam.get_user(UserName=name)["User"]["Path"] != PATH:
            said = f"There is a user {name} in AWS that is not below {PATH}: it is not previewbot's, and is left alone."
            raise Refused(Reason.RUNTIME_REFUSED, said) from None
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(order.rights)})
    iam.put_user_policy(UserName=name, PolicyName=_POLICY, PolicyDocument=policy)
    _drop_keys(iam, name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def named(iam: Client, head: str) -> list[str]:
    """The users whose names begin like this."""
    pages = iam.get_paginator("list_users").paginate(PathPrefix=PATH)
    return [each["UserName"] for page in pages for each in page["Users"] if each["UserName"].startswith(head)]


def delete(iam: Client, head: str) -> None:
    """Delete the users whose names begin like this, with their keys; gone is fine."""
    for name in named(iam, head):
        try:
            _drop_keys(iam, name)
            for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
                iam.delete_user_policy(UserName=name, PolicyName=policy)
            iam.delete_user(UserName=name)
        except iam.exceptions.NoSuchEntityException:
            continue


def _drop_keys(iam: Client, name: str) -> None:
    for each in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=each["AccessKeyId"])
