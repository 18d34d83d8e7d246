"""A store of secrets in memory, which writes down every scope that it was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import count

from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.secrets import Scope, SecretName
from previewbot.ports import Value


class FakeSecrets:
    """A ``ports.Secrets``. ``asked`` has the scope of every question, in their order."""

    def __init__(self) -> None:
        self.asked: list[Scope] = []
        self.is_away = False
        self._kept: dict[Scope, dict[SecretName, tuple[str, Value]]] = {}
        self._versions = count(1)

    def everything(self) -> Mapping[Scope, Mapping[SecretName, str]]:
        """What is set, with its value."""
        return {
            scope: {name: value.text for name, (_, value) in each.items()} for scope, each in self._kept.items() if each
        }

    async def versions(self, scope: Scope, names: Collection[SecretName] | None = None) -> Mapping[SecretName, str]:
        self._ask(scope)
        found = self._kept.get(scope, {}).items()
        return {name: version for name, (version, _) in found if names is None or name in names}

    async def values(self, scope: Scope, names: Collection[SecretName]) -> Mapping[SecretName, Value]:
        self._ask(scope)
        found = self._kept.get(scope, {})
        return {name: found[name][1] for name in names if name in found}

    async def put(self, scope: Scope, name: SecretName, value: Value) -> str:
        self._ask(scope)
        version = f"v{next(self._versions)}"
        self._kept.setdefault(scope, {})[name] = (version, value)
        return version

    async def remove(self, scope: Scope, name: SecretName) -> bool:
        self._ask(scope)
        return self._kept.get(scope, {}).pop(name, None) is not None

    async def forget(self, scope: Scope) -> int:
        self._ask(scope)
        if scope.environment is None:
            raise ValueError("only what was made for one environment is forgotten as a whole")
        return len(self._kept.pop(scope, {}))

    async def keys(self) -> frozenset[Key]:
        self._ask()
        return frozenset(
            key for scope, each in self._kept.items() if each and (key := Key.parse(scope.environment or ""))
        )

    def _ask(self, scope: Scope | None = None) -> None:
        if scope:
            self.asked.append(scope)
        if self.is_away:
            raise Transient("The secrets in memory do not answer.")

    async def check(self) -> str:
        return "secrets in memory"
