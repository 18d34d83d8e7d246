"""Where a secret is in a store of the cloud: ``/<prefix>/<app>/<kind>/<service or shared>/<NAME>``.

What was made for one environment alone is beside its kind, in ``<kind>.<key>``: a question for all of a kind never
meets it, and a rule for one kind never lets anybody near another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from previewbot.core.secrets import Scope, SecretName


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one prefix."""

    prefix: str

    def folder(self, scope: Scope) -> str:
        """The folder of a scope, without a slash at its end."""
        kind = f"{scope.kind}.{scope.environment}" if scope.environment else scope.kind
        return f"/{self.prefix}/{scope.app}/{kind}"

    def path(self, scope: Scope, name: SecretName) -> str:
        """The whole path of a secret."""
        return f"{self.folder(scope)}/{name}"

    def within(self, scope: Scope, found: Mapping[str, str]) -> Mapping[SecretName, str]:
        """Of paths and what they stand for, those that are in a scope."""
        head = f"{self.folder(scope)}/"
        parts = {path: path.removeprefix(head).split("/") for path in found if path.startswith(head)}
        return {SecretName(*own): found[path] for path, own in parts.items() if len(own) == 2}  # noqa: PLR2004
