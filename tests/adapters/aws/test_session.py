"""What an answer of AWS means, and that a service which is away is waited for."""

from __future__ import annotations

import pytest

from previewbot.adapters.aws.session import Account, call, judge
from previewbot.core.errors import Refused, Transient
from tests.fixtures.aws import REGION

_ERRORS = [
    ("AccessDenied", 403, Refused, "has to be allowed CreateBucket"),
    ("AccessDeniedException", 400, Refused, "has to be allowed CreateBucket"),
    ("ExpiredTokenException", 400, Refused, "credentials are wrong, or have run out"),
    ("InvalidClientTokenId", 403, Refused, "credentials are wrong, or have run out"),
    ("ThrottlingException", 400, Transient, "does not take the bucket"),
    ("AWS.SimpleQueueService.QueueDeletedRecently", 400, Transient, "does not take the bucket"),
    ("InternalError", 500, Transient, "does not take the bucket"),
    ("", 503, Transient, "does not take the bucket"),
    ("BucketAlreadyExists", 409, Refused, "BucketAlreadyExists: it went wrong"),
]


@pytest.mark.parametrize(("code", "status", "kind", "words"), _ERRORS)
def test_an_error_is_one_to_wait_for_or_one_that_a_person_mends(
    code: str, status: int, kind: type[Exception], words: str
) -> None:
    answer = {"Error": {"Code": code, "Message": "it\nwent wrong"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    made = judge(answer, "CreateBucket", "the bucket x")
    assert type(made) is kind
    assert words in str(made)


async def test_a_service_that_does_not_answer_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, free_tcp_port: int, aws_account: Account
) -> None:
    client = Account(REGION, f"http://127.0.0.1:{free_tcp_port}").open("sqs")
    with pytest.raises(Transient, match="does not answer to a list") as caught:
        await call("a list", client.list_queues)
    assert caught.value.retry_after


async def test_without_credentials_it_says_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch, aws_account: Account, tmp_path: object
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    client = aws_account.open("sqs")
    with pytest.raises(Refused, match="give its pod or machine a role"):
        await call("a list", client.list_queues)
