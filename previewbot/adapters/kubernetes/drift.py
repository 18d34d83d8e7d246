"""Seeing that somebody changed what we applied, from the object alone.

The API server keeps, in ``managedFields``, which fields previewbot set and nobody changed since. What we applied
carries a hash of itself, its seal. If the fields that are still ours no longer add up to the seal, somebody edited,
scaled or took over the object; and if somebody else owns a field of its ``spec`` that is not ours, it was added. No
memory of our own is needed, so drift is seen after a restart, too. Labels and annotations may be added by anybody.

Format of ``fieldsV1``: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from previewbot.adapters.kubernetes.kinds import Json, Thing
from previewbot.adapters.kubernetes.names import MANAGER, SEAL
from previewbot.core.ids import digest


def seal(thing: Thing) -> Thing:
    """Add its seal to a manifest. Quantities in it must be written as the API server would write them."""
    sealed = copy.deepcopy(thing)
    about = sealed["metadata"]
    about["annotations"] = {**about.get("annotations", {}), SEAL: _hash(thing)}
    return sealed


def has_drifted(found: Thing) -> bool:
    """Whether an object is no longer what we applied."""
    return is_sealed(found) != _hash(_project(found, _applied(found))) or has_additions(found)


def has_additions(found: Thing) -> bool:
    """Whether somebody added something to the ``spec``; an apply leaves that alone, only a replacement removes it."""
    own = _applied(found).get("f:spec", {})
    entries = found["metadata"].get("managedFields") or ()
    others = (each for each in entries if each["manager"] != MANAGER and not each.get("subresource"))
    return any(_exceeds(each.get("fieldsV1", {}).get("f:spec", {}), own) for each in others)


def is_sealed(found: Thing) -> str | None:
    """The seal that an object carries."""
    sealed: str | None = (found["metadata"].get("annotations") or {}).get(SEAL)
    return sealed


def is_up_to_date(found: Thing | None, manifest: Thing) -> bool:
    """Whether an object is just what a manifest would make of it."""
    return found is not None and is_sealed(found) == _hash(manifest) and not has_drifted(found)


def _hash(thing: Thing) -> str:
    plain = {part: value for part, value in thing.items() if part not in ("apiVersion", "kind", "status")}
    about = dict(plain.get("metadata") or {})
    for name in ("name", "namespace", "managedFields"):
        about.pop(name, None)
    annotations = {name: value for name, value in (about.pop("annotations", None) or {}).items() if name != SEAL}
    plain["metadata"] = about | ({"annotations": annotations} if annotations else {})
    return digest(json.dumps(_sorted(plain), sort_keys=True), length=32)


def _sorted(value: Json) -> Json:
    """Bring lists of objects in an order of their own: the API server may merge them in another one."""
    if isinstance(value, dict):
        return {name: _sorted(each) for name, each in value.items()}
    if isinstance(value, list):
        items = [_sorted(each) for each in value]
        return sorted(items, key=lambda each: json.dumps(each, sort_keys=True)) if _are_objects(items) else items
    return value


def _are_objects(items: list[Any]) -> bool:
    return all(isinstance(each, dict) for each in items)


def _applied(found: Thing) -> Mapping[str, Any]:
    """The set of the fields that are as we applied them."""
    entries = found["metadata"].get("managedFields") or ()
    fields: Mapping[str, Any] = next((each["fieldsV1"] for each in entries if _is_applied(each)), {})
    return fields or {"f:metadata": {"f:nothing": {}}}


def _exceeds(fields: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a field set names anything that another one does not; one that ends names all below it."""
    for name, inner in fields.items():
        if name == ".":
            continue
        if name not in own:
            return True
        if own[name] and _exceeds(inner, own[name]):
            return True
    return False


def _is_applied(entry: Mapping[str, Any]) -> bool:
    return entry["manager"] == MANAGER and entry["operation"] == "Apply" and not entry.get("subresource")


def _project(value: Json, fields: Mapping[str, Any]) -> Json:
    """Keep only the fields of a value that a field set names; an empty set means the whole value."""
    inner = {name: each for name, each in fields.items() if name != "."}
    if not inner:
        return value
    if isinstance(value, dict):
        found = ((name[2:], each) for name, each in inner.items() if name.startswith("f:"))
        return {name: _project(value[name], each) for name, each in found if name in value}
    if isinstance(value, list):
        return _members(value, inner)
    return value


def _members(items: list[Any], fields: Mapping[str, Any]) -> list[Any]:
    kept: list[Any] = []
    for name, inner in fields.items():
        if name.startswith("k:"):
            wanted = json.loads(name[2:]).items()
            found = (each for each in items if wanted <= each.items())
            kept += [_project(each, inner) for each in found]
        elif name.startswith("v:"):
            wanted_value = json.loads(name[2:])
            kept += [each for each in items if each == wanted_value]
    return kept
