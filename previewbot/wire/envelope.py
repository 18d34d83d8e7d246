"""The few fields of a payload that make a hint, taken out of its JSON without building the rest.

A payload of a pull request holds 900 values, of which four are read; the others would be most of what the door costs.
What it takes out must be all that ``events`` reads: a test holds both against every payload that GitHub publishes.
It never decides what is malformed: whatever it cannot take goes to ``events.decode``, which is strict.
"""

from __future__ import annotations

import re
from typing import Any, TypedDict, cast

import msgspec

from previewbot.wire import events

_LARGEST = 256 * 1024
"""Bytes: beyond it, ``events.decode`` counts values before it makes room for them."""

_STEP = 512
_ENDLESS = re.compile(rb"[0-9]{8}")
"""Of every 512th byte: a number of more digits than Python takes (4,300) is at least eight of them in a row."""


class _Numbered(TypedDict, total=False):
    id: Any
    number: Any


class _Issue(TypedDict, total=False):
    number: Any
    pull_request: Any


class _Person(TypedDict, total=False):
    login: Any
    type: Any


class _Comment(TypedDict, total=False):
    id: Any
    body: Any
    user: _Person | None


class _Envelope(TypedDict, total=False):
    action: Any
    number: Any
    repository: _Numbered | None
    pull_request: _Numbered | None
    issue: _Issue | None
    comment: _Comment | None
    repositories: Any
    repositories_added: Any
    repositories_removed: Any


_READER = msgspec.json.Decoder(_Envelope)


def decode(raw: bytes) -> events.Payload | events.Malformed:
    """Decode what ``events.read`` needs of a body."""
    if len(raw) > _LARGEST or _ENDLESS.search(raw[::_STEP]):
        return events.decode(raw)
    try:
        if not raw.isascii():
            raw.decode()  # the reader looks at no letter of what it leaves out
        return cast("events.Payload", _READER.decode(raw))
    except (ValueError, RecursionError):  # also of what is JSON, but in another shape than GitHub's
        return events.decode(raw)
