"""SQS queues: making one as it should be, and deleting those of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from previewbot.adapters.aws.session import Client
from previewbot.adapters.aws.users import allow

_USES = ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
         "GetQueueUrl", "PurgeQueue")  # fmt: skip


def make(sqs: Client, name: str, tags: Mapping[str, str], kms_key: str | None) -> str:
    """Make an encrypted queue, or mend the one that is there; returns its ARN."""
    encryption = {"KmsMasterKeyId": kms_key} if kms_key else {"SqsManagedSseEnabled": "true"}
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=encryption)
        sqs.tag_queue(QueueUrl=url, Tags=dict(tags))
    except sqs.exceptions.QueueDoesNotExist:
        url = sqs.create_queue(QueueName=name, Attributes=encryption, tags=dict(tags))["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def rights(arn: str) -> list[dict[str, Any]]:
    """What its user may do: everything that an app does with its queue."""
    return [allow([f"sqs:{each}" for each in _USES], [arn])]


def named(sqs: Client, head: str) -> list[str]:
    """The URLs of the queues whose names begin like this."""
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=head)
    return [url for page in pages for url in page.get("QueueUrls", ())]


def delete(sqs: Client, head: str) -> bool:
    """Delete the queues whose names begin like this; ``True`` while there may be more of them."""
    urls = named(sqs, head)
    for url in urls:
        try:
            sqs.delete_queue(QueueUrl=url)
        except sqs.exceptions.QueueDoesNotExist:
            continue
    return False
