"""The blueprint: one app's definition, as frozen facts without positions or YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Build:
    """How one service's image is made; paths are relative to the root of the repository, ``.`` is the root."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    """Relative to the context, as in ``compose.yaml``."""
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """When a service counts as healthy: an HTTP path that answers below 400, or (without ``path``) an open TCP port."""

    path: str | None = None
    timeout: timedelta = timedelta(seconds=60)
    """How long it may take from start to healthy."""


@dataclass(frozen=True, slots=True)
class Service:
    """One long-running program of the app; exactly one of ``build`` and ``image`` is set."""

    name: str
    build: Build | None = None
    image: str | None = None
    command: tuple[str, ...] | None = None
    port: int | None = None
    public: bool = False
    health: Health = Health()
    env: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Filters:
    """Which pull requests deserve a preview; ``None`` leaves the rule to the operator's configuration."""

    drafts: bool | None = None
    label: str | None = None
    """The label that asks for a preview, and overrides ``drafts`` and ``paths``."""
    label_required: bool | None = None
    """Whether only pull requests that carry ``label`` are previewed."""
    exclude_label: str | None = None
    """The label that forbids a preview, whatever else is true."""
    branches: tuple[str, ...] | None = None
    """Globs of base branches; empty means all."""
    paths: tuple[str, ...] | None = None
    """Globs of changed files; empty means all."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """An app: its name (a slug), its services in the order they were written, and its wishes for filters."""

    app: str
    services: tuple[Service, ...]
    previews: Filters = Filters()


@dataclass(frozen=True, slots=True)
class Flaw:
    """One fault of a user's file: where it is, what is wrong, and how to mend it."""

    file: str
    line: int
    """1-based; 0 where the whole file is meant."""
    column: int
    """1-based; 0 where the whole file is meant."""
    problem: str
    fix: str

    def __str__(self) -> str:
        """``file:line:column: problem; fix``, as editors understand it."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.problem}" + (f"; {self.fix}" if self.fix else "")
