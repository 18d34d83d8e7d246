"""The door: what is signed and sound is on disk before 202; nothing that anybody sends can do more than that."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Collection
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Message

from previewbot.adapters.local import SystemClock
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key, Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery, Store
from previewbot.telemetry import Metrics
from previewbot.web.webhook import BODY_LIMIT, Door

SECRETS = (b"old secret", b"new secret")
PULL = {"action": "opened", "number": 42, "repository": {"id": 7}}


def sign(body: bytes, secret: bytes = SECRETS[0]) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def client_of(door: Door) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/webhook", door, methods=["POST"])])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://previewbot.test")


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(Door(store, SystemClock(), SECRETS, Metrics())) as made:
        yield made


async def deliver(client: httpx.AsyncClient, body: bytes, id: str = "d1", **headers: str) -> httpx.Response:
    sent = {"X-GitHub-Delivery": id, "X-GitHub-Event": "pull_request", "X-Hub-Signature-256": sign(body)}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/webhook", content=body, headers=sent)


async def due(store: Store) -> list[Topic]:
    found: list[Topic] = []
    while lease := await store.lease(SystemClock().now() + timedelta(seconds=1)):
        found.append(lease.topic)
    return found


async def test_what_is_accepted_is_on_disk(client: httpx.AsyncClient, store: Store) -> None:
    answer = await deliver(client, json.dumps(PULL).encode())
    assert (answer.status_code, answer.text) == (202, "accepted")
    assert await due(store) == [Key(7, 42)]


async def test_a_command_is_kept_with_who_asked(client: httpx.AsyncClient, store: Store) -> None:
    payload = {
        "action": "created",
        "repository": {"id": 7},
        "issue": {"number": 42, "pull_request": {}},
        "comment": {"id": 5, "body": "/redeploy", "user": {"login": "alice", "type": "User"}},
    }
    await deliver(client, json.dumps(payload).encode(), X_GitHub_Event="issue_comment")
    (ask,) = await store.asks(Key(7, 42))
    assert (ask.id, ask.login) == (5, "alice")


async def test_a_repeated_delivery_is_nothing_new(client: httpx.AsyncClient, store: Store) -> None:
    body = json.dumps(PULL).encode()
    for _ in range(3):
        assert (await deliver(client, body)).status_code == 202
    assert await due(store) == [Key(7, 42)]
    assert (await deliver(client, body)).status_code == 202
    assert await due(store) == []


@pytest.mark.parametrize("secret", SECRETS)
async def test_while_a_secret_is_changed_both_are_good(client: httpx.AsyncClient, secret: bytes) -> None:
    body = json.dumps(PULL).encode()
    assert (await deliver(client, body, X_Hub_Signature_256=sign(body, secret))).status_code == 202


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "x" * 10_000])
async def test_without_the_right_signature_nothing_is_believed(
    client: httpx.AsyncClient, store: Store, signature: str
) -> None:
    answer = await deliver(client, json.dumps(PULL).encode(), X_Hub_Signature_256=signature)
    assert (answer.status_code, answer.text) == (401, "bad signature")
    assert await due(store) == []


async def test_a_signature_of_other_letters_is_only_wrong(client: httpx.AsyncClient) -> None:
    headers = [
        (b"X-GitHub-Delivery", b"d"),
        (b"X-GitHub-Event", b"push"),
        (b"X-Hub-Signature-256", "sha256=ä".encode()),
    ]
    answer = await client.post("/webhook", content=b"{}", headers=headers)
    assert answer.status_code == 401


async def test_a_body_is_signed_as_it_was_sent(client: httpx.AsyncClient) -> None:
    body = json.dumps(PULL).encode()
    assert (await deliver(client, body + b" ", X_Hub_Signature_256=sign(body))).status_code == 401


async def test_too_much_is_refused_early_and_late(client: httpx.AsyncClient) -> None:
    said = await client.post("/webhook", content=b"", headers={"Content-Length": str(BODY_LIMIT + 1)})
    assert said.status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(27):
            yield b"x" * 1024**2

    assert (await client.post("/webhook", content=endless())).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a":' + b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=range(8),
)
async def test_hostile_but_signed_bodies_are_malformed(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await deliver(client, body)).status_code == 400


async def test_25_mb_of_brackets_end_quickly(client: httpx.AsyncClient) -> None:
    body = b"[" + b"[]," * (BODY_LIMIT // 3 - 2) + b"[]]"
    assert (await deliver(client, body)).status_code == 400
    assert (await deliver(client, json.dumps(PULL).encode())).status_code == 202


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"action": "opened"},
        {"action": ["opened"], "number": 1},
        PULL | {"number": "42"},
        PULL | {"number": -1},
        PULL | {"number": 2**70},
        PULL | {"repository": None},
        PULL | {"repository": {"id": True}},
        {"action": "\ud800", "number": 42},
    ],
)
async def test_signed_nonsense_is_accepted_and_forgotten(
    client: httpx.AsyncClient, store: Store, payload: dict[str, object]
) -> None:
    assert (await deliver(client, json.dumps(payload).encode())).status_code == 202
    assert await due(store) == []


@pytest.mark.parametrize("event", ["star", "ping", "unheard_of"])
async def test_unknown_events_are_accepted(client: httpx.AsyncClient, event: str) -> None:
    assert (await deliver(client, b"{}", X_GitHub_Event=event)).status_code == 202


@pytest.mark.parametrize("name", ["X_GitHub_Delivery", "X_GitHub_Event"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 101, "../etc"])
async def test_odd_names_of_deliveries_and_events_are_malformed(
    client: httpx.AsyncClient, name: str, value: str
) -> None:
    assert (await deliver(client, json.dumps(PULL).encode(), **{name: value})).status_code == 400


class Full:
    """A store that cannot write now."""

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        raise Transient("disk full")


async def test_a_full_disk_is_not_acknowledged() -> None:
    """GitHub then shows a failed delivery, and the sweep asks for it again."""
    async with client_of(Door(Full(), SystemClock(), SECRETS, Metrics())) as client:
        answer = await deliver(client, json.dumps(PULL).encode())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"


async def test_a_body_that_never_ends_is_given_up(store: Store) -> None:
    door = Door(store, SystemClock(), SECRETS, Metrics(), deadline=timedelta(milliseconds=100))
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> dict[str, object]:
        for message in messages:
            return message
        await asyncio.sleep(30)
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await door({"type": "http", "method": "POST", "headers": [], "path": "/webhook"}, receive, send)
    assert sent[0]["status"] == 408


async def test_a_store_that_refuses_is_not_acknowledged_either() -> None:
    async with client_of(Door(Broken(), SystemClock(), SECRETS, Metrics())) as client:
        assert (await deliver(client, json.dumps(PULL).encode())).status_code == 503


class Broken:
    """A store whose database is damaged."""

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        raise Refused("internal", "the database is damaged")


@pytest.mark.parametrize("length", ["-1", "abc", "\xb2", "1e3", "0x10", ""])
async def test_a_length_that_is_no_number_is_malformed(client: httpx.AsyncClient, length: str) -> None:
    headers = [(b"Content-Length", length.encode("latin-1"))]
    assert (await client.post("/webhook", content=b"{}", headers=headers)).status_code == 400


async def test_compressed_bodies_are_malformed(client: httpx.AsyncClient) -> None:
    body = gzip.compress(json.dumps(PULL).encode())
    assert (await deliver(client, body, Content_Encoding="gzip")).status_code == 400


async def test_a_form_is_told_what_is_needed(client: httpx.AsyncClient) -> None:
    body = b"payload=" + json.dumps(PULL).encode()
    answer = await deliver(client, body, Content_Type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.text) == (400, "malformed: application/json is needed")


async def test_of_duplicate_keys_the_last_one_counts(client: httpx.AsyncClient, store: Store) -> None:
    body = b'{"action":"opened","number":1,"number":42,"repository":{"id":3},"repository":{"id":7}}'
    assert (await deliver(client, body)).status_code == 202
    assert await due(store) == [Key(7, 42)]


async def test_odd_letters_cost_no_delivery(client: httpx.AsyncClient, store: Store) -> None:
    """Half a surrogate pair in a title is no reason to lose a pull request."""
    body = b'{"action":"opened","number":42,"repository":{"id":7},"pull_request":{"title":"\\ud800 NaN"}}'
    assert (await deliver(client, body)).status_code == 202
    assert await due(store) == [Key(7, 42)]


async def test_large_bodies_are_read_in_pieces_and_kept(client: httpx.AsyncClient, store: Store) -> None:
    body = json.dumps(PULL | {"padding": "x" * 3_000_000}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    headers = {"X-GitHub-Delivery": "d", "X-GitHub-Event": "pull_request", "X-Hub-Signature-256": sign(body)}
    assert (await client.post("/webhook", content=pieces(), headers=headers)).status_code == 202
    assert await due(store) == [Key(7, 42)]


async def test_few_large_bodies_are_in_memory_at_once(store: Store) -> None:
    """Whoever has no secret may still send 25 MB: only so often at the same time."""
    reading, most = 0, 0
    door = Door(store, SystemClock(), SECRETS, Metrics(), deadline=timedelta(seconds=5))

    async def body() -> AsyncIterator[bytes]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        yield b"x" * 300_000
        await asyncio.sleep(0.05)
        reading -= 1

    async with client_of(door) as client:
        answers = await asyncio.gather(*(client.post("/webhook", content=body()) for _ in range(12)))
    assert {each.status_code for each in answers} == {401}
    assert most == 4


async def test_every_outcome_is_counted_without_names_from_outside(store: Store) -> None:
    metrics = Metrics()
    async with client_of(Door(store, SystemClock(), SECRETS, metrics)) as client:
        await deliver(client, json.dumps(PULL).encode())
        await deliver(client, b"{}", X_GitHub_Event="made_up_by_a_stranger")
        await deliver(client, b"{}", X_Hub_Signature_256="sha256=0")
    shown = metrics.render().decode()
    assert 'previewbot_deliveries_total{event="pull_request",outcome="accepted"} 1.0' in shown
    assert 'previewbot_deliveries_total{event="other",outcome="ignored"} 1.0' in shown
    assert 'previewbot_deliveries_total{event="pull_request",outcome="bad_signature"} 1.0' in shown
    assert "previewbot_delivery_seconds_count 3.0" in shown
    assert "stranger" not in shown
