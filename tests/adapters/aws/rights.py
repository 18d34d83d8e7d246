"""The rights that an operator's page shows, and acting as somebody who has just those."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from previewbot.adapters.aws import Account


def policies(page: Path) -> list[dict[str, Any]]:
    """The policies on a page, in their order."""
    return [json.loads(each) for each in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)]


def actions(policy: dict[str, Any]) -> frozenset[str]:
    return frozenset(each for statement in policy["Statement"] for each in statement["Action"])


@contextmanager
def enforced(account: Account) -> Iterator[None]:
    """Have the server check the rights of everybody who asks; it does not by itself."""

    def check_from(count: int) -> None:
        assert httpx.post(f"{account.endpoint_url}/moto-api/reset-auth", content=str(count)).is_success

    check_from(0)
    try:
        yield
    finally:
        check_from(1_000_000)


@contextmanager
def somebody(account: Account, allowed: Collection[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be somebody who may do only this; the server looks at no resource but those of S3, so it is all of them."""
    iam, name = account.open("iam"), f"somebody-{uuid.uuid4().hex}"
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": sorted(allowed), "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patched.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with enforced(account):
            yield
