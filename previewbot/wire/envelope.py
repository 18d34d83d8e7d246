"""The few fields of a payload that make a hint, taken out of its JSON without building the rest.

A payload of a pull request holds 900 values, of which four are read; the others would be most of what the door costs.
What it takes out must be all that ``events`` reads: a test holds both against every payload that GitHub publishes.
It never decides what is malformed: whatever it cannot take goes to ``events.decode``, which is strict.
"""

from __future__ import annotations

from typing import cast

from pydantic_core import SchemaValidator, ValidationError, core_schema

from previewbot.wire import events

_ODD = (b"NaN", b"Infinity")
"""Numbers that JSON does not have and this parser takes; inside a text they only cost the longer way."""

_LARGEST = 256 * 1024
"""Bytes: beyond it, ``events.decode`` counts values before it makes room for them."""

_ANY = core_schema.any_schema()


def _object(**fields: core_schema.CoreSchema) -> core_schema.CoreSchema:
    """An object of which these fields are taken where they are as they should be, and left out where not."""
    lenient = {
        name: core_schema.typed_dict_field(core_schema.with_default_schema(each, on_error="omit"), required=False)
        for name, each in fields.items()
    }
    return core_schema.typed_dict_schema(lenient, extra_behavior="ignore")


_READER = SchemaValidator(
    _object(
        action=_ANY,
        number=_ANY,
        repository=_object(id=_ANY),
        pull_request=_object(number=_ANY),
        issue=_object(number=_ANY, pull_request=_ANY),
        comment=_object(id=_ANY, body=_ANY, user=_object(login=_ANY, type=_ANY)),
        repositories=_ANY,
        repositories_added=_ANY,
        repositories_removed=_ANY,
    )
)


def decode(raw: bytes) -> events.Payload | events.Malformed:
    """Decode what ``events.read`` needs of a body."""
    if len(raw) > _LARGEST or any(each in raw for each in _ODD):
        return events.decode(raw)
    try:
        return cast("events.Payload", _READER.validate_json(raw))
    except ValidationError:
        return events.decode(raw)
