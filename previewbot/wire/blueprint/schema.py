"""The published JSON Schema of ``previewbot.yaml``, made from its shape."""

from __future__ import annotations

import json
from typing import Any

from previewbot.wire.blueprint.shape import BlueprintShape


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors: whatever it refuses, ``parse`` refuses too."""
    made = _tidy(BlueprintShape.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "previewbot.yaml"}


def schema_text() -> str:
    """The JSON Schema as ``config/blueprint.schema.json`` holds it."""
    return json.dumps(schema(), indent=2) + "\n"


def _tidy(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what helps nobody who edits a file: titles, and that a key may be null instead of absent."""
    if isinstance(node, list):
        return [_tidy(each) for each in node if each != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    made = {name: _tidy(each) for name, each in node.items() if not (name == "title" and isinstance(each, str))}
    if made.get("default") is None or isinstance(made["default"], dict):
        made.pop("default", None)
    if len(made.get("anyOf", ())) == 1:
        made |= made.pop("anyOf")[0]
    if "patternProperties" in made:
        ((pattern, value),) = made.pop("patternProperties").items()
        made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
    return made
