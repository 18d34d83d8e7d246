"""Core's dataclasses as JSON text and back, by their type hints. Never raises over a row that it cannot read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

log = structlog.get_logger(__name__)

T = TypeVar("T")


_adapters: dict[type[Any], TypeAdapter[Any]] = {}  # costly to make, so each is made once


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def clean(text: str) -> str:
    """Replace what a database cannot hold, NUL and lone surrogates, by the replacement character."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encode(value: object) -> str:
    """Write a dataclass as JSON text without any character that a database cannot hold."""
    return json.dumps(_plain(_adapter(type(value)).dump_python(value)), ensure_ascii=False, separators=(",", ":"))


def decode(kind: type[T], body: str, *, row: str) -> T | None:
    """Read a dataclass; fields that it does not have are passed over, and what cannot be read is ``None``."""
    try:
        return _adapter(kind).validate_json(body)
    except ValidationError as error:
        log.warning("unreadable row", kind=kind.__name__, row=row, faults=error.error_count())
        return None


def _plain(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return _adapter(timedelta).dump_python(value, mode="json")
    return value
