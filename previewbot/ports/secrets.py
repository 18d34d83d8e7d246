"""Where secrets are, and what environments use of a cloud."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from previewbot.core.blueprint import Resource
from previewbot.core.ids import Key
from previewbot.core.secrets import Scope, SecretName


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a secret. Its text never shows by accident."""

    text: str

    def __repr__(self) -> str:
        """Hide it."""
        return "Value(…)"


class Secrets(Protocol):
    """Where the values of secrets are. Every question is bound to one scope."""

    async def versions(self, scope: Scope, names: Collection[SecretName] | None = None) -> Mapping[SecretName, str]:
        """List what is set in a scope, never the values; what is written anew has another version.

        Asked for names, it tells what is there now; asked for all, a store may not yet tell what was set just before.
        """

    async def values(self, scope: Scope, names: Collection[SecretName]) -> Mapping[SecretName, Value]:
        """Read values; what is not set is left out."""

    async def put(self, scope: Scope, name: SecretName, value: Value) -> str:
        """Set a value, and return its version."""

    async def remove(self, scope: Scope, name: SecretName) -> bool:
        """Delete a value; ``False`` where there was none."""

    async def forget(self, scope: Scope) -> int:
        """Delete and count what was made for one environment alone; ``ValueError`` for any other scope."""

    async def keys(self) -> frozenset[Key]:
        """List every environment that has anything made for it alone there; that may be some minutes old."""

    async def check(self) -> str:
        """Describe the store in a line; ``Transient`` or ``Refused`` where it cannot be used."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a resource of a cloud."""

    access_key: str
    secret_key: Value


class Cloud(Protocol):
    """What environments use of a cloud, instead of servers of their own; names are by convention (``core.cloud``)."""

    async def provide(self, key: Key, app: str, resource: Resource) -> Credentials:
        """Make a resource, or mend it, with somebody who may use it and nothing else; older credentials end."""

    async def delete(self, key: Key) -> bool:
        """Delete everything of an environment; ``False`` where there was too much of it for one call."""

    async def keys(self) -> frozenset[Key]:
        """List every environment that has anything there; that may be some minutes old."""

    async def check(self) -> str:
        """Describe the account in a line; ``Transient`` or ``Refused`` where it cannot be used."""
