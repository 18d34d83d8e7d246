"""The engine's stream of events, where it ends otherwise than it should: whoever listens is told, and never left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from previewbot.adapters.docker.engine import connect
from previewbot.adapters.docker.labels import Names
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from tests.fixtures.answering import answering


@contextmanager
def _engine(status: int, events: bytes) -> Iterator[str]:
    """An engine that knows its version and answers a call for its events like this."""
    known = json.dumps({"ApiVersion": "1.44", "Version": "1"}).encode()
    with answering(lambda path: (200, known) if path.endswith("/version") else (status, events)) as address:
        yield f"tcp://{address}"


@pytest.mark.parametrize(
    ("status", "events"),
    [
        (403, b'{"message": "a proxy says no"}'),
        (500, b"<html>"),
        (200, b'{"Type": "container"}\n<html>'),
        (200, b'["no object"]'),
        (200, b'{"Type": "container", "Actor": null}'),
        (200, b"\xff\xfe"),
    ],
)
async def test_a_stream_that_breaks_ends_for_whoever_listens(status: int, events: bytes) -> None:
    with _engine(status, events) as url:
        engine = connect(url)
        runtime = DockerRuntime(engine, instance="x")
        async with asyncio.timeout(10):
            with suppress(Transient, Refused):
                assert [key async for key in runtime.changes()] == []
        runtime.close()
        engine.close()


LABELS = Names("x").labels(Key(1, 2))


@pytest.mark.parametrize(
    "event",
    [
        {"Action": "die", "timeNano": 1, "Actor": {"ID": "c1", "Attributes": LABELS | {"exitCode": "0"}}},
        {"Action": "die", "Actor": {"ID": "c1", "Attributes": LABELS | {"exitCode": "0"}}},
        {"Actor": {"Attributes": LABELS | {"exitCode": "none"}}},
    ],
)
async def test_an_event_that_leaves_things_out_is_news_all_the_same(event: dict[str, object]) -> None:
    with _engine(200, json.dumps({"Type": "container"} | event).encode()) as url:
        engine = connect(url)
        runtime = DockerRuntime(engine, instance="x")
        async with asyncio.timeout(10):
            assert [key async for key in runtime.changes()] == [Key(1, 2)]
        runtime.close()
        engine.close()
