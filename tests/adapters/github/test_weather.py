"""Whatever GitHub answers, a call ends in a value, in ``Transient`` or in ``Refused``, and never waits for a limit."""

from __future__ import annotations

import time
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from previewbot.core.errors import Refused, Transient
from tests.adapters.github.scripted import KEY, NOW, PULL, SHOP, FixedClock, Scripted, hub, json, pull, token

PULL_PATH = "GET /repos/acme/shop/pulls/42"
COMMENTS = "/repos/acme/shop/issues/42/comments"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200),
        httpx.Response(200, text="<html>Unicorn!</html>"),
        httpx.Response(200, text='{"number": 42, "sta'),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(200, text="null"),
        json([]),
        json({"number": "many"}),
        json(pull(head={"sha": None})),
        httpx.Response(200, content=b"\xff\xfe\x00"),
        httpx.Response(500),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(503, headers={"retry-after": "3"}),
        httpx.Response(204),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.DecodingError("bad gzip"),
    ],
)
async def test_an_unwell_github_is_transient(answer: httpx.Response | Exception) -> None:
    github = Scripted()
    github.on(PULL_PATH, answer)
    with pytest.raises(Transient):
        await hub(github).pull(SHOP, 42)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (json({"message": "slow down"}, 429, retry_after="17"), 17),
        (json({"message": "You have exceeded a secondary rate limit."}, 403, retry_after="9"), 9),
        (json({"message": "You have exceeded a secondary rate limit."}, 403), 60),
        (json({}, 403, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW.timestamp()) + 1200)), 1200),
        (json({}, 429, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW.timestamp()) - 5)), 1),
        (json({}, 429, retry_after="Mon, 23 Nov 2026 12:00:30 GMT"), 60),
        (json({}, 429, retry_after="999999999999999999999"), 60),
        (json({}, 429, x_ratelimit_remaining="0", x_ratelimit_reset="99999999999999999999"), 60),
        (json({}, 429, retry_after="soon"), 60),
        (json({}, 429, retry_after="86400"), 7200),
        (json({}, 503, retry_after="3"), 3),
    ],
)
async def test_a_limit_is_put_off_and_never_slept_through(answer: httpx.Response, seconds: int) -> None:
    github = Scripted()
    github.on(PULL_PATH, answer)
    began = time.monotonic()
    with pytest.raises(Transient) as raised:
        await hub(github).pull(SHOP, 42)
    assert raised.value.retry_after == timedelta(seconds=seconds)
    assert len(github.sent(PULL_PATH)) == 1
    assert time.monotonic() - began < 1


async def test_a_right_that_the_app_lacks_is_refused_with_githubs_own_words() -> None:
    github = Scripted()
    said = {"message": "Resource not accessible by integration"}
    github.on(PULL_PATH, json(said, 403, x_accepted_github_permissions="pull_requests=read"))
    with pytest.raises(Refused, match=r"Resource not accessible by integration.*pull_requests=read"):
        await hub(github).pull(SHOP, 42)


@pytest.mark.parametrize("status", [400, 403, 409, 410, 422, 451])
async def test_what_a_person_must_change_is_refused(status: int) -> None:
    github = Scripted()
    github.on("GET /repos/acme/shop/deployments", json([]))
    github.on("POST /repos/acme/shop/deployments", json({"message": "No"}, status))
    with pytest.raises(Refused):
        await hub(github).deploy(PULL, environment="pr-42-shop")


async def test_a_read_is_tried_again_until_github_recovers() -> None:
    github = Scripted()
    github.on(PULL_PATH, httpx.Response(502), httpx.RemoteProtocolError("half a body"), json(pull()))
    found = await hub(github).pull(SHOP, 42)
    assert found is not None
    assert len(github.sent(PULL_PATH)) == 3


@pytest.mark.parametrize("answer", [httpx.Response(502), httpx.RemoteProtocolError("gone"), httpx.ReadTimeout("slow")])
async def test_a_write_that_may_have_arrived_is_never_sent_twice(answer: httpx.Response | Exception) -> None:
    github = Scripted()
    github.on(f"GET {COMMENTS}", json([]))
    github.on(f"POST {COMMENTS}", answer)
    with pytest.raises(Transient):
        await hub(github).comment(PULL, "<!-- m -->", "text <!-- m -->", known=None, final=True)
    assert len(github.sent(f"POST {COMMENTS}")) == 1


async def test_a_write_that_never_left_is_sent_again() -> None:
    github = Scripted()
    github.on(f"GET {COMMENTS}", json([]))
    github.on(f"POST {COMMENTS}", httpx.ConnectError("refused"), json({"id": 5}, 201))
    assert await hub(github).comment(PULL, "<!-- m -->", "text <!-- m -->", known=None, final=True) == 5


async def test_a_token_that_is_not_taken_is_replaced_once() -> None:
    github = Scripted()
    github.on("POST /app/installations/1/access_tokens", token(1), token(2))
    github.on(PULL_PATH, json({"message": "Bad credentials"}, 401), json(pull()))
    assert await hub(github).pull(SHOP, 42) is not None
    assert [each.headers["authorization"] for each in github.sent(PULL_PATH)] == ["Bearer token-1", "Bearer token-2"]


async def test_a_new_token_that_is_not_taken_either_is_githubs_trouble() -> None:
    github = Scripted()
    github.on(PULL_PATH, json({"message": "Bad credentials"}, 401))
    with pytest.raises(Transient, match="Bad credentials"):
        await hub(github).pull(SHOP, 42)
    assert len(github.sent(PULL_PATH)) == 2


async def test_a_key_that_github_never_took_is_refused_with_what_to_check() -> None:
    github = Scripted()
    github.on("GET /app", json({"message": "A JSON web token could not be decoded"}, 401))
    with pytest.raises(Refused, match="private key and this machine's clock"):
        await hub(github).describe()


async def test_a_key_that_worked_a_moment_ago_is_githubs_trouble() -> None:
    github = Scripted()
    github.on("GET /app", json({"id": 12345}), json({"message": "Bad credentials"}, 401))
    client = hub(github)
    await client.describe()
    with pytest.raises(Transient, match="Bad credentials"):
        await client.describe()


def _elliptic() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _public() -> str:
    opened = serialization.load_pem_private_key(KEY.encode(), password=None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return opened.public_bytes(serialization.Encoding.PEM, form).decode()


@pytest.mark.parametrize(
    "key", ["hunter2", "", "é", _elliptic(), _public()], ids=["text", "empty", "é", "ec", "public"]
)
async def test_a_key_that_is_no_key_of_an_app_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(Refused, match="not a PEM file as GitHub makes it") as raised:
        await hub(Scripted(), key=key).describe()
    assert not key or key not in str(raised.value)


async def test_neither_errors_nor_objects_show_a_token_or_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    github = Scripted()
    github.on(PULL_PATH, httpx.Response(500, text="token-1"))
    client = hub(github)
    with pytest.raises(Transient) as raised:
        await client.pull(SHOP, 42)
    shown = repr(raised.value) + repr(await client.credential(SHOP)) + "".join(capsys.readouterr())
    assert "token-1" not in shown
    assert not any("token-1" in str(each.url) for each in github.requests)


async def test_the_pool_stays_open_between_calls_and_is_closed_once() -> None:
    github = Scripted()
    github.on(PULL_PATH, json(pull()))
    client = hub(github)
    await client.pull(SHOP, 42)
    await client.pull(SHOP, 42)
    assert github.closed == 0
    await client.aclose()
    assert github.closed == 1


async def test_the_clocks_difference_is_read_from_githubs_own_date() -> None:
    github = Scripted()
    github.on("GET /app", json({"id": 1, "slug": "p"}, date="Mon, 23 Nov 2026 11:58:00 GMT"))
    described = await hub(github, FixedClock()).describe()
    assert described.clock_skew == timedelta(minutes=2)
