"""The blueprint: one app's definition, as frozen facts without positions or YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Build:
    """How one service's image is made; paths are relative to the root of the repository, ``.`` is the root."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    """Relative to the context, as in ``compose.yaml``."""
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Names of secrets that single steps of it may mount; none gets into the image by itself."""


class Kind(StrEnum):
    """What a service is: how it is started, and when it counts as well."""

    WEB = "web"
    """It listens on a port."""
    WORKER = "worker"
    """It runs on and on, and nobody calls it."""
    CRON = "cron"
    """It runs to its end by a timetable."""
    JOB = "job"
    """It runs to its end when somebody asks for it."""

    @property
    def stays(self) -> bool:
        """Whether it is to run for as long as its release does."""
        return self in (Kind.WEB, Kind.WORKER)


@dataclass(frozen=True, slots=True)
class Health:
    """When a service counts as healthy: an HTTP path that answers below 400, or (without one) an open TCP port.

    With a ``command`` instead: that it exits with 0. A worker without a command is healthy while it runs.
    """

    path: str | None = None
    timeout: timedelta = timedelta(seconds=60)
    """How long it may take from start to healthy."""
    command: tuple[str, ...] | None = None


class Concurrency(StrEnum):
    """What happens to a run whose time has come while the one before it still goes on."""

    FORBID = "forbid"
    ALLOW = "allow"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a cron service runs."""

    cron: str
    """Five fields, as in ``crontab(5)``."""
    timezone: str = "UTC"
    """A name of the IANA database."""
    concurrency: Concurrency = Concurrency.FORBID
    history: int = 3
    """How many runs that are over are kept."""
    enabled: bool = True

    def written(self) -> str:
        """Write it as one text, to be kept beside what runs."""
        state = "on" if self.enabled else "off"
        return "\n".join((self.cron, self.timezone, self.concurrency, str(self.history), state))

    @classmethod
    def read(cls, text: str) -> Schedule | None:
        """Read what ``written`` wrote; nothing else is one, whoever wrote it."""
        try:
            cron, timezone, concurrency, history, enabled = text.split("\n")
            ZoneInfo(timezone)
            return cls(cron, timezone, Concurrency(concurrency), int(history), enabled == "on")
        except (ValueError, LookupError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class Service:
    """One program of the app; exactly one of ``build`` and ``image`` is set.

    ``command`` and the values of ``env`` may hold references (``core.references``).
    """

    name: str
    build: Build | None = None
    image: str | None = None
    command: tuple[str, ...] | None = None
    port: int | None = None
    public: bool = False
    health: Health = Health()
    env: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    kind: Kind = Kind.WEB
    size: str | None = None
    """One of the operator's sizes; ``None`` is what the operator lets every container use."""
    depends_on: tuple[str, ...] = ()
    """Services that must be healthy before this one is started."""
    secrets: tuple[str, ...] = ()
    """Names of secrets that it gets as variables of the same names."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Resources of the type ``volume``, and the absolute path where each is mounted."""
    schedule: Schedule | None = None
    """Set for a cron service, and for no other."""
    timeout: timedelta = timedelta(hours=1)
    """How long one run of a cron service or a job may take; then it is ended."""


class ResourceType(StrEnum):
    """What a service can need beside itself."""

    POSTGRES = "postgres"
    MYSQL = "mysql"
    REDIS = "redis"
    RABBITMQ = "rabbitmq"
    STORAGE = "storage"
    """Files behind an S3-compatible interface."""
    QUEUE = "queue"
    """Messages behind an SQS-compatible interface."""
    VOLUME = "volume"
    """A folder that outlives the containers it is mounted into."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A command that runs once, to its end, in the image and with the environment of one service."""

    service: str
    command: tuple[str, ...]
    timeout: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that an environment has for itself: a database, a cache, a queue, a folder."""

    name: str
    type: ResourceType
    version: str | None = None
    """As in the image's tag: ``16``; ``None`` is the one that previewbot chose (``core.resources``)."""
    size: str | None = None
    """One of the operator's sizes."""
    seed: Hook | None = None
    """Runs once in its life, after the first release hook that succeeded."""
    backups: str | None = None
    """The operator's backup policy; previews have none."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What runs at the turns of an environment's life."""

    release: Hook | None = None
    """Before a new release takes over, once for each release; where it fails, the old one keeps serving."""
    destroy: Hook | None = None
    """Before the environment is deleted; it never stops the deletion."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by its name; its value is in a store, and never here."""

    name: str
    generate: int | None = None
    """Make one of so many characters for each environment, and keep it; ``None``: somebody sets it."""


@dataclass(frozen=True, slots=True)
class Override:
    """What an environment may have otherwise in one service or resource; ``None`` is as everywhere."""

    size: str | None = None
    replicas: int | None = None
    schedule: bool | None = None
    """Whether a cron service's timetable holds."""
    backups: str | None = None


PREVIEW = "preview"
"""The name that stands for the environments of all pull requests."""


@dataclass(frozen=True, slots=True)
class Environment:
    """How one environment differs from the others: in nothing but declared parameters."""

    name: str
    domain: str | None = None
    services: Mapping[str, Override] = field(default_factory=dict)
    resources: Mapping[str, Override] = field(default_factory=dict)


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
    """An app: its name (a slug), its services and resources in the order they were written, and what holds for all."""

    app: str
    services: tuple[Service, ...]
    previews: Filters = Filters()
    resources: tuple[Resource, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Those of all services, each once, by name."""
    hooks: Hooks = Hooks()
    environments: Mapping[str, Environment] = field(default_factory=dict)

    @property
    def every_hook(self) -> tuple[Hook, ...]:
        """All hooks, those that seed a resource among them."""
        found = (self.hooks.release, *(each.seed for each in self.resources), self.hooks.destroy)
        return tuple(each for each in found if each)


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

    @property
    def place(self) -> str:
        """``file:line:column``, or the file alone."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        """``file:line:column: problem; fix``, as editors understand it."""
        return f"{self.place}: {self.problem}" + (f"; {self.fix}" if self.fix else "")
