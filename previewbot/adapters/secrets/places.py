"""Where a secret is in a store of the cloud: ``/<prefix>/<app>/<kind>/<service or shared>/<NAME>``.

What was made for one environment alone is in a folder that no app has, below its kind: a rule for one kind never lets
anybody near another. It names the previewbot that made it, since others may work with the same prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from previewbot.core.blueprint import PREVIEW
from previewbot.core.ids import Key
from previewbot.core.secrets import NO_APP, Scope, SecretName


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one prefix."""

    prefix: str
    instance: str
    """Whose environments' own are meant."""

    def folder(self, scope: Scope) -> str:
        """The folder of a scope, without a slash at its end."""
        own = f"/{self.instance}/{scope.environment}" if scope.environment else ""
        return f"/{self.prefix}/{scope.app}/{scope.kind}{own}"

    @property
    def own(self) -> str:
        """The folder of everything that was made for single environments."""
        return f"/{self.prefix}/{NO_APP}/{PREVIEW}/{self.instance}"

    def path(self, scope: Scope, name: SecretName) -> str:
        """The whole path of a secret."""
        return f"{self.folder(scope)}/{name}"

    def within(self, scope: Scope, found: Mapping[str, str]) -> Mapping[SecretName, str]:
        """Of paths and what they stand for, those that are in a scope."""
        head = f"{self.folder(scope)}/"
        parts = {path: path.removeprefix(head).split("/") for path in found if path.startswith(head)}
        return {SecretName(*own): found[path] for path, own in parts.items() if len(own) == 2}  # noqa: PLR2004

    def keys(self, paths: Iterable[str]) -> frozenset[Key]:
        """The environments whose own are at some paths."""
        head = f"{self.own}/"
        names = {path.removeprefix(head).partition("/")[0] for path in paths if path.startswith(head)}
        return frozenset(key for each in names if (key := Key.parse(each)))
