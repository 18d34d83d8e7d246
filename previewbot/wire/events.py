"""Webhook payloads, read as hints: which topics deserve a look, and what somebody asked for. Never an order.

Only the few fields that make a hint are read, with plain checks, because GitHub's payloads change and nothing else
in them is believed anyway. Whatever is not as expected is an empty reading, never an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from previewbot.core.ids import Key, Survey, Topic
from previewbot.core.model import Ask
from previewbot.wire import commands

Payload = Mapping[str, Any]

_LARGEST = 2**63 - 1
_MOST_VALUES = 1_000_000
"""A body of 25 MB that is all brackets and commas would take a gigabyte once decoded; GitHub's are mostly text."""
_AFTER_A_PUSH = timedelta(seconds=2)
"""By then a pull request's own event has its pass under way, or is lost."""
_LOGIN = re.compile(r"[A-Za-z0-9_.-]{1,100}(\[bot\])?", re.ASCII)
"""What an account may be called, here or on an Enterprise host: nothing that a database or a sentence stumbles over."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The body is not a JSON object."""

    why: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery says: topics that deserve a look, and requests of people."""

    topics: tuple[Topic, ...] = ()
    asks: tuple[Ask, ...] = ()
    patience: timedelta = timedelta(0)
    """How long the topics may wait for their look."""


NOTHING = Reading()


def decode(raw: bytes) -> Payload | Malformed:
    """Decode a body as strict JSON: an object, UTF-8, without NaN; too deep or too large a number is malformed."""
    if len(raw) > _MOST_VALUES and raw.count(b"[") + raw.count(b"{") + raw.count(b",") > _MOST_VALUES:
        return Malformed("too many values")
    try:
        payload = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        return Malformed("nested too deeply")
    except ValueError:
        return Malformed("not JSON")
    return payload if isinstance(payload, dict) else Malformed("not an object")


def _refuse(name: str) -> object:
    raise ValueError(name)


def read(event: str, payload: Payload) -> Reading:
    """Read one delivery of an event (``X-GitHub-Event``); unknown events and odd shapes are ``NOTHING``."""
    reader = _READERS.get(event)
    return reader(payload) if reader else NOTHING


def _pull_request(payload: Payload) -> Reading:
    action = payload.get("action")
    if not isinstance(action, str) or action not in _PULL_ACTIONS:
        return NOTHING
    number = payload.get("number") or _get(payload, "pull_request", "number")
    key = _key(payload, number)
    return Reading((key,)) if key else NOTHING


_PULL_ACTIONS = {
    "opened",
    "reopened",
    "synchronize",
    "closed",
    "labeled",
    "unlabeled",
    "ready_for_review",
    "converted_to_draft",
    "edited",
}


def _issue_comment(payload: Payload) -> Reading:
    is_pull = isinstance(_get(payload, "issue", "pull_request"), dict)
    key = _key(payload, _get(payload, "issue", "number"))
    if payload.get("action") != "created" or not is_pull or key is None:
        return NOTHING
    ask = _ask(payload, key)
    return Reading((key,), (ask,)) if ask else NOTHING


def _ask(payload: Payload, key: Key) -> Ask | None:
    comment = _number(_get(payload, "comment", "id"))
    body, login = _get(payload, "comment", "body"), _get(payload, "comment", "user", "login")
    if comment is None or not isinstance(body, str) or not (isinstance(login, str) and _LOGIN.fullmatch(login)):
        return None
    if _get(payload, "comment", "user", "type") == "Bot":
        return None
    said = commands.read(body)
    return Ask(comment, key, login, said.command, argument=said.argument) if said else None


def _push(payload: Payload) -> Reading:
    """A push, of which its pull request tells as well: by the time of the look, that one is mostly under way."""
    reading = _repository(payload)
    return replace(reading, patience=_AFTER_A_PUSH) if reading.topics else NOTHING


def _repository(payload: Payload) -> Reading:
    """Anything that happened to a whole repository: a push, a rename, a transfer, its end."""
    return _surveys([payload.get("repository")])


def _installation(payload: Payload) -> Reading:
    listed = [payload.get(name) for name in ("repositories", "repositories_added", "repositories_removed")]
    return _surveys([each for some in listed if isinstance(some, list) for each in some])


def _surveys(repositories: list[Any]) -> Reading:
    numbers = (_number(each.get("id")) for each in repositories if isinstance(each, dict))
    return Reading(tuple(dict.fromkeys(Survey(number) for number in numbers if number)))


_READERS: Mapping[str, Callable[[Payload], Reading]] = {
    "pull_request": _pull_request,
    "issue_comment": _issue_comment,
    "push": _push,
    "repository": _repository,
    "installation": _installation,
    "installation_repositories": _installation,
}

KNOWN = frozenset(_READERS) | {"ping"}
"""The events that previewbot subscribes to or always gets: also the names that a metric may carry."""


def _key(payload: Payload, number: object) -> Key | None:
    repository, pull = _number(_get(payload, "repository", "id")), _number(number)
    return Key(repository, pull) if repository and pull else None


def _number(value: object) -> int | None:
    """A positive number that a database column holds; ``True`` is none."""
    return value if type(value) is int and 0 < value <= _LARGEST else None


def _get(payload: object, *path: str) -> object:
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload
