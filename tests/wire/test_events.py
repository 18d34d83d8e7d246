"""Payloads are hints: the few fields that make one are read, and nothing else can do harm."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.ids import Key, Survey
from previewbot.core.model import Ask, Command
from previewbot.wire.events import KNOWN, NOTHING, Malformed, Reading, decode, read

KEY = Key(7, 42)
REPOSITORY = {"id": 7}


def comment(body: str, **user: str) -> dict[str, Any]:
    return {
        "action": "created",
        "repository": REPOSITORY,
        "issue": {"number": 42, "pull_request": {}},
        "comment": {"id": 99, "body": body, "user": {"login": "alice", "type": "User"} | user},
    }


@pytest.mark.parametrize(
    "action",
    [
        "opened",
        "reopened",
        "synchronize",
        "closed",
        "labeled",
        "unlabeled",
        "ready_for_review",
        "converted_to_draft",
        "edited",
    ],
)
def test_what_happens_to_a_pull_request_is_worth_a_look(action: str) -> None:
    assert read("pull_request", {"action": action, "number": 42, "repository": REPOSITORY}) == Reading((KEY,))


def test_other_actions_and_events_are_not() -> None:
    assert read("pull_request", {"action": "assigned", "number": 42, "repository": REPOSITORY}) == NOTHING
    assert read("star", {"action": "created", "repository": REPOSITORY}) == NOTHING
    assert read("ping", {"zen": "x", "repository": REPOSITORY}) == NOTHING


def test_a_command_in_a_comment_is_an_ask() -> None:
    assert read("issue_comment", comment("/redeploy")) == Reading((KEY,), (Ask(99, KEY, "alice", Command.REDEPLOY),))


def test_other_comments_change_nothing_and_bots_ask_for_nothing() -> None:
    assert read("issue_comment", comment("nice")) == NOTHING
    assert read("issue_comment", comment("/redeploy", type="Bot")) == NOTHING


@pytest.mark.parametrize("login", ["", "a b", "\ud800", "a\x00", "a\nb", "a" * 101])
def test_nobody_of_an_impossible_name_asks_for_anything(login: str) -> None:
    assert read("issue_comment", comment("/redeploy", login=login)) == NOTHING


def test_comments_on_issues_and_edits_of_comments_are_nothing() -> None:
    assert read("issue_comment", comment("/redeploy") | {"issue": {"number": 42}}) == NOTHING
    assert read("issue_comment", comment("/redeploy") | {"action": "edited"}) == NOTHING


def test_what_happens_to_a_repository_is_worth_a_survey() -> None:
    assert read("repository", {"action": "renamed", "repository": REPOSITORY}) == Reading((Survey(7),))


def test_a_push_is_worth_a_survey_that_leaves_the_pull_request_its_time() -> None:
    (topic,) = (reading := read("push", {"repository": REPOSITORY})).topics
    assert (topic, reading.patience) == (Survey(7), timedelta(seconds=2))


def test_an_installation_is_a_survey_of_each_of_its_repositories() -> None:
    payload = {"action": "added", "repositories_added": [{"id": 7}], "repositories_removed": [{"id": 8}, {"id": 7}]}
    assert read("installation_repositories", payload) == Reading((Survey(7), Survey(8)))
    assert read("installation", {"action": "deleted", "repositories": [{"id": 9}]}) == Reading((Survey(9),))


@pytest.mark.parametrize("number", [0, -1, 2**63, True, "42", 42.0, None, [], {}])
def test_odd_numbers_are_nothing(number: object) -> None:
    assert read("pull_request", {"action": "opened", "number": number, "repository": REPOSITORY}) == NOTHING
    assert read("push", {"repository": {"id": number}}) == NOTHING


@pytest.mark.parametrize("action", [[], {}, None, 1, True])
def test_odd_actions_are_nothing(action: object) -> None:
    assert read("pull_request", {"action": action, "number": 42, "repository": REPOSITORY}) == NOTHING
    assert read("issue_comment", comment("/redeploy") | {"action": action}) == NOTHING


NAMES = ["action", "repository", "issue", "pull_request", "comment", "id", "number", "repositories", "user", "body"]
json_values = st.recursive(
    st.none() | st.just("created") | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)


@given(st.sampled_from(sorted(KNOWN)), st.dictionaries(st.text() | st.sampled_from(NAMES), json_values, max_size=10))
def test_no_shape_of_a_payload_is_an_error(event: str, payload: dict[str, Any]) -> None:
    read(event, payload)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": [' + b"[]," * 8_000_000 + b"[]]}",
        b'{"a": ' + b"[" * 25_000_000,
    ],
    ids=range(13),
)
def test_hostile_json_is_malformed_and_nothing_worse(raw: bytes) -> None:
    assert isinstance(decode(raw), Malformed)


def test_odd_but_legal_json_is_read() -> None:
    assert decode(b'{"a": "\\ud800", "a": 1}') == {"a": 1}
    assert decode(json.dumps({"a": "\ud800"}).encode()) == {"a": "\ud800"}


@given(st.binary())
def test_any_bytes_are_an_object_or_malformed(raw: bytes) -> None:
    assert isinstance(decode(raw), dict | Malformed)
