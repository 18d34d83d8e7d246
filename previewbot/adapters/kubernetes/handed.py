"""What is handed into each namespace and never read back: what opens the registry, and the previews' certificate.

Each namespace carries a mark of what it was given last, so it is seen which one lacks the newest without a look into
any Secret. A mark is slow to make: nobody who may read namespaces should guess a password from one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from previewbot.adapters.kubernetes.kinds import SECRET, Thing
from previewbot.adapters.kubernetes.names import GIVEN
from previewbot.adapters.kubernetes.place import Handed, Place

PULL_SECRET = "registry"  # noqa: S105 - the name of one  # nosec B105
CERTIFICATE = "certificate"
_ROUNDS = 100_000
_MARK_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Gift:
    """One Secret: its type, its values, and what these are where there is nothing to give any more."""

    type: str
    data: Mapping[str, str] | None
    nothing: Mapping[str, str]


def _gifts(handed: Handed) -> Mapping[str, _Gift]:
    config, chain = handed.pull_secret, handed.certificate
    docker = {".dockerconfigjson": config} if config is not None else None
    tls = {"tls.crt": chain.chain, "tls.key": chain.key} if chain is not None else None
    return {
        PULL_SECRET: _Gift("kubernetes.io/dockerconfigjson", docker, {".dockerconfigjson": '{"auths":{}}'}),
        CERTIFICATE: _Gift("kubernetes.io/tls", tls, {"tls.crt": "", "tls.key": ""}),
    }


def secrets(place: Place, namespace: Thing | None = None) -> Sequence[Thing]:
    """The Secrets that a namespace is given; one that it was given once, and is not to have any more, is emptied."""
    before = (namespace or {"metadata": {}})["metadata"].get("annotations") or {}
    gifts = {name: each for name, each in _gifts(place.handed).items() if each.data or GIVEN + name in before}
    return [_secret(place, name, each.type, each.data or each.nothing) for name, each in gifts.items()]


def marks(place: Place) -> dict[str, str]:
    """The annotations that tell which of them a namespace has."""
    given = {name: each.data for name, each in _gifts(place.handed).items() if each.data}
    return {GIVEN + name: _mark(json.dumps(data, sort_keys=True), place.names.instance) for name, data in given.items()}


def _secret(place: Place, name: str, type_: str, values: Mapping[str, str]) -> Thing:
    data = {key: base64.b64encode(value.encode()).decode("ascii") for key, value in values.items()}
    return place.thing(SECRET, name, {"type": type_, "data": data})


@lru_cache(maxsize=8)
def _mark(content: str, instance: str) -> str:
    salt = f"previewbot {instance}".encode()
    return hashlib.pbkdf2_hmac("sha256", content.encode(), salt, _ROUNDS, _MARK_BYTES).hex()
