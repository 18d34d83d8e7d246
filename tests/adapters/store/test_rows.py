"""Rows that another version wrote, or that something broke: read as far as they can be, and never a crash."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from previewbot.adapters.store import open_store
from previewbot.adapters.store.codec import clean, decode, encode
from previewbot.adapters.store.opening import opened
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, Record, ReleaseRecord, ReleaseState
from previewbot.ports import Delivery

NOW = datetime(2031, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
ONE = Key(1, 1)

_ASK = "INSERT INTO asks (id, key, login, command, state) VALUES (1, 'pr-1-1', 'ann', 'dance', 'new')"


async def execute(url: str, *statements: str) -> None:
    async with opened(url, exclusive=False) as database:
        await database.write(lambda connection: [connection.execute(text(each)) for each in statements])


def test_fields_that_this_version_does_not_know_are_passed_over() -> None:
    body = '{"key": {"repository": 1, "number": 1, "extra": 0}, "commits": 3, "invented": {"later": true}}'
    assert decode(Record, body, row="x") == Record(ONE, commits=3)


def test_fields_that_an_older_version_did_not_write_have_their_defaults() -> None:
    assert decode(Record, '{"key": {"repository": 1, "number": 1}}', row="x") == Record(ONE)


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "{}", '{"key": 5}', '{"key": {"repository": 1}}'])
def test_what_cannot_be_read_is_nothing_and_is_told(body: str) -> None:
    with capture_logs() as logs:
        assert decode(Record, body, row="pr-1-1") is None
    assert [(each["event"], each["row"], each["log_level"]) for each in logs] == [
        ("unreadable row", "pr-1-1", "warning")
    ]


@pytest.mark.parametrize("value", ["", "plain", "é 😀", "\ufffd", "\x01"])
def test_ordinary_text_is_kept_to_the_letter(value: str) -> None:
    assert clean(value) == value
    assert decode(Record, encode(Record(ONE, app=value)), row="x") == Record(ONE, app=value)


async def test_unreadable_rows_are_empty_records_and_no_history(database_url: str) -> None:
    async with open_store(database_url) as store:
        await store.save(Record(ONE, commits=3))
        await store.save(Record(Key(1, 2), commits=4))
        await store.save_release(ReleaseRecord(ONE, "r", "c", ReleaseState.SERVING, NOW, NOW))
        await store.save_build(BuildRecord("i", ONE, "web", "c", "log", BuildState.RUNNING, NOW))
    await execute(
        database_url,
        "UPDATE records SET body = 'x' WHERE key = 'pr-1-1'",
        "UPDATE releases SET body = 'x'",
        "UPDATE builds SET body = 'x'",
    )
    async with open_store(database_url) as store:
        assert await store.load(ONE) == Record(ONE)
        assert await store.records() == (Record(Key(1, 2), commits=4), Record(ONE))
        assert await store.releases(ONE) == ()
        assert await store.builds(["i"]) == {}
        assert await store.find_log("log") is None
        await store.save(Record(ONE, commits=5))
        assert (await store.load(ONE)).commits == 5


async def test_a_topic_that_nobody_can_read_does_not_stop_the_queue(database_url: str) -> None:
    async with open_store(database_url) as store:
        await store.add([ONE, Key(1, 2)], NOW)
        await execute(database_url, "UPDATE queue SET topic = 'a strange one' WHERE topic = 'pr-1-1'")
        with capture_logs() as logs:
            lease = await store.lease(NOW)
        assert lease is not None
        assert lease.topic == Key(1, 2)
        assert [each["row"] for each in logs] == ["a strange one"]
        await store.settle(lease, due=None)
        assert await store.next_due() is None


async def test_a_command_of_another_version_is_an_unknown_one(database_url: str) -> None:
    async with open_store(database_url) as store:
        await store.accept(Delivery("d", "x", NOW), (), ())
        await execute(
            database_url,
            _ASK,
        )
        assert [ask.command for ask in await store.asks(ONE)] == ["unknown"]
