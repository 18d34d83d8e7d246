"""The quick way into a payload and the strict one are two ways to the same hint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.wire import envelope, events
from tests.judges.packages import derived, published

PULL = {"action": "opened", "number": 42, "repository": {"id": 7}, "pull_request": {"number": 42, "title": "x"}}
COMMENT = {
    "action": "created",
    "repository": {"id": 7},
    "issue": {"number": 42, "pull_request": {"url": "u"}},
    "comment": {"id": 99, "body": "/redeploy", "user": {"login": "alice", "type": "User"}},
}
BOT = COMMENT | {"comment": {"id": 99, "body": "/redeploy", "user": {"login": "robot", "type": "Bot"}}}
ISSUE = COMMENT | {"issue": {"number": 42}}
REPOSITORIES = {"action": "added", "repositories_added": [{"id": 1}, {"id": "2"}, 3, {"id": 4}], "repositories": None}

_NUMBERS = st.integers() | st.booleans() | st.none() | st.text(max_size=3) | st.floats(allow_nan=False)
_VALUES = st.recursive(
    _NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "number", "pull_request", "user", "login", "type", "body"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
_FIELDS = ["action", "number", "repository", "pull_request", "issue", "comment", "repositories", "repositories_added"]


def same(event: str, raw: bytes) -> events.Reading | None:
    """Read a body both ways; they must agree. ``None`` where it is malformed."""
    quick, strict = envelope.decode(raw), events.decode(raw)
    if isinstance(strict, events.Malformed):
        assert quick == strict
        return None
    assert not isinstance(quick, events.Malformed)
    assert events.read(event, quick) == events.read(event, strict)
    return events.read(event, quick)


@pytest.mark.parametrize(
    ("event", "payload", "topics"),
    [
        ("pull_request", PULL, 1),
        ("issue_comment", COMMENT, 1),
        ("issue_comment", BOT, 0),
        ("issue_comment", ISSUE, 0),
        ("installation_repositories", REPOSITORIES, 2),
    ],
)
def test_what_matters_is_taken(event: str, payload: dict[str, Any], topics: int) -> None:
    reading = same(event, json.dumps(payload).encode())
    assert reading is not None
    assert len(reading.topics) == topics


@pytest.mark.npm
def test_every_published_payload_reads_the_same_both_ways() -> None:
    readings = [same(event, json.dumps(payload).encode()) for event, payload in (*published(), *derived())]
    assert sum(1 for each in readings if each and each.topics) >= 50


@given(st.sampled_from(sorted(events.KNOWN)), st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=6))
def test_no_shape_is_read_in_two_ways(event: str, payload: dict[str, Any]) -> None:
    same(event, json.dumps(payload).encode())
    same(event, json.dumps(COMMENT | payload).encode())
    same(event, json.dumps(PULL | payload).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"number": -Infinity}',
        b'{"a": "\xff"}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"number": ' + b"9" * 5000 + b"}",
        b'{"action": "\\ud800"}',
        b'{"action": "opened", "number": 1e999, "repository": {"id": 7}}',
        b'{"action":"opened","number":1,"number":42,"repository":{"id":3},"repository":{"id":7}}',
        b'{"a": 1} x',
        b'{"\xff": 1}',
        b'{"a": ' + b"9" * 4301 + b"}",
        b'{"a": "' + b"x" * 300 + b'", "b": -' + b"9" * 5000 + b".5}",
        b'{"a": "\\ud800"}',
    ],
    ids=range(18),
)
def test_odd_bodies_are_judged_the_same(raw: bytes) -> None:
    same("pull_request", raw)
