"""Buckets and queues in AWS, each with a user of its own who may use it and nothing else.

Every name begins with what only one environment has (``core.cloud``), and everything is tagged with whose it is: what
is there is found again by that, so every effect can be done again, also by a previewbot that remembers nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from previewbot.adapters.aws import buckets, queues, users
from previewbot.adapters.aws.session import Account, Client, call
from previewbot.core.blueprint import Resource, ResourceType
from previewbot.core.cloud import Cloud
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.model import Reason
from previewbot.ports import Credentials, Value


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator says of everything that is made."""

    kms_key: str | None = None
    """The ARN of the key that encrypts what is kept, instead of AWS's own keys."""
    boundary: str | None = None
    """The ARN of the policy beyond which no user goes."""


class AwsCloud:
    """A ``ports.Cloud`` in one account and region."""

    def __init__(self, account: Account, cloud: Cloud, rules: Rules | None = None) -> None:
        self._account, self._cloud, self._rules = account, cloud, rules or Rules()

    async def provide(self, key: Key, app: str, resource: Resource) -> Credentials:
        """See ``Cloud.provide``."""
        name, tags = self._cloud.name(key, resource.name), self._tags(key, app, resource.name)
        if resource.type is ResourceType.STORAGE:
            order = buckets.Order(name, self._cloud.account, self._cloud.region, tags, self._rules.kms_key)
            await call(f"the bucket {name}", lambda: buckets.make(self._s3, order))
            rights = buckets.rights(name)
        else:
            queue = await call(f"the queue {name}", lambda: queues.make(self._sqs, name, tags, self._rules.kms_key))
            rights = queues.rights(queue)
        if self._rules.kms_key:
            rights = [*rights, users.allow(["kms:Decrypt", "kms:GenerateDataKey"], [self._rules.kms_key])]
        user = users.Order(name, tags, rights, self._rules.boundary)
        id_, secret = await call(f"the user {name}", lambda: users.make(self._iam, user))
        return Credentials(id_, Value(secret))

    async def delete(self, key: Key) -> bool:
        """See ``Cloud.delete``: the users first, so that nothing is added to what is emptied."""
        head, owner = self._cloud.head(key), self._cloud.account
        await call("the deletion of users", lambda: users.delete(self._iam, head))
        kept = await asyncio.gather(
            call("the deletion of buckets", lambda: buckets.delete(self._s3, head, owner)),
            call("the deletion of queues", lambda: queues.delete(self._sqs, head)),
        )
        return not any(kept)

    async def keys(self) -> frozenset[Key]:
        """See ``Cloud.keys``."""
        head = f"{self._cloud.prefix}-"
        found = await asyncio.gather(
            call("a list of buckets", lambda: buckets.named(self._s3, head)),
            call("a list of queues", lambda: queues.named(self._sqs, head)),
            call("a list of users", lambda: users.named(self._iam, head)),
        )
        names = (name.rpartition("/")[2] for each in found for name in each)
        return frozenset(key for name in names if (key := self._cloud.key_of(name)))

    async def check(self) -> str:
        """See ``Cloud.check``: the account is the configured one, and its buckets, queues and users can be listed."""
        found = await call(
            "the question whose credentials these are", lambda: self._sts.get_caller_identity()["Account"]
        )
        if found != self._cloud.account:
            said = f"The AWS credentials are of the account {found}, and aws.account is {self._cloud.account}."
            raise Refused(Reason.RUNTIME_REFUSED, said)
        nobody = f"{self._cloud.prefix}-nobody-"
        await asyncio.gather(
            call("a list of buckets", lambda: buckets.named(self._s3, nobody)),
            call("a list of queues", lambda: queues.named(self._sqs, nobody)),
            call("a list of users", lambda: users.named(self._iam, nobody)),
        )
        return f"account {found} in {self._cloud.region}"

    def _tags(self, key: Key, app: str, resource: str) -> Mapping[str, str]:
        told = {"instance": self._cloud.instance, "key": str(key), "app": app, "resource": resource}
        return {f"previewbot:{name}": value for name, value in told.items()}

    @cached_property
    def _s3(self) -> Client:
        return self._account.open("s3")

    @cached_property
    def _sqs(self) -> Client:
        return self._account.open("sqs")

    @cached_property
    def _iam(self) -> Client:
        return self._account.open("iam")

    @cached_property
    def _sts(self) -> Client:
        return self._account.open("sts")
