"""Where the things of one environment go: what every manifest needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from previewbot.adapters.kubernetes.kinds import Kind, Thing
from previewbot.adapters.kubernetes.names import Names
from previewbot.adapters.kubernetes.options import Options
from previewbot.core.ids import Key


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with those that vouch for it, and its key, as PEM writes them."""

    chain: str
    key: str

    def __repr__(self) -> str:
        """Hide the key."""
        return "Certificate(…)"


@dataclass(frozen=True, slots=True)
class Handed:
    """What the operator has every namespace given."""

    pull_secret: str | None = None
    """The content of a docker ``config.json`` that opens the registry, where one is needed."""
    certificate: Certificate | None = None
    """For every host of a preview."""

    def __repr__(self) -> str:
        """Hide the secrets."""
        return "Handed(…)"


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace of one environment."""

    names: Names
    key: Key
    namespace: str
    options: Options
    api_server: Sequence[str] = ()
    """The networks of the cluster's own API."""
    handed: Handed = Handed()

    def thing(self, kind: Kind, name: str, content: dict[str, Any], *, labels: dict[str, str] | None = None) -> Thing:
        """Write the head of a manifest, and put its content below."""
        about = {"name": name, "namespace": self.namespace, "labels": labels or self.names.labels(self.key)}
        about |= content.pop("metadata", {})
        return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": about, **content}
