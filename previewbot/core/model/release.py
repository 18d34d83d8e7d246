"""Releases: what each service of one runs, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from previewbot.core.blueprint import Build, Health, Kind, Schedule
from previewbot.core.ids import Key
from previewbot.core.secrets import Seal, Template


@dataclass(frozen=True, slots=True)
class Size:
    """What one container may use; the operator gives each its name."""

    cpu: float
    """Cores."""
    memory: int
    """Bytes."""


class HookPoint(StrEnum):
    """The turns of an environment's life at which something runs once."""

    RELEASE = "release"
    SEED = "seed"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service of a release, ready to run but for its image's digest."""

    name: str
    image: str
    """An ``ImageOrder.image`` where ``build`` is set, else a reference such as ``redis:7``."""
    build: Build | None
    command: tuple[str, ...] | None
    port: int | None
    host: str | None
    """The public host name, where the service is public."""
    health: Health
    """For what runs to its end, ``timeout`` is how long one run may take: then it is ended."""
    env: Mapping[str, str]
    replicas: int
    kind: Kind = Kind.WEB
    size: Size | None = None
    """``None`` is what every container may use that asks for nothing."""
    after: tuple[str, ...] = ()
    """What of the same release must be healthy, or over, before this is started."""
    hook: HookPoint | None = None
    """Where it runs once by itself; its kind is then a job."""
    schedule: Schedule | None = None
    """When it runs by itself, for a cron service."""
    sealed: Mapping[str, Template] = field(default_factory=dict)
    """Variables with secrets in them, whose values it gets when it is started."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Absolute path to the volume of the environment that is mounted there."""
    needs: tuple[str, ...] = ()
    """The servers that it works with, each by the volume of its data: another one is another release."""
    seeds: str | None = None
    """The volume that it fills, once in the volume's life; not part of what a release is."""
    user: int | None = None
    """The number of whom it runs as, where the image's own user will not do; its volumes are that user's."""
    entrypoint: tuple[str, ...] | None = None
    """What takes the command, where that of the image will not do."""
    edition: str = field(default="", repr=False)
    """A hash of all that makes it, but for the commit that it is told: what runs of the same edition may go on in a
    newer release. Empty: it is started anew in each."""

    @property
    def is_laid(self) -> bool:
        """Whether it is only made ready with its release, and run when its time comes: cron, jobs, the destroy hook."""
        return not self.kind.stays and self.hook in (None, HookPoint.DESTROY)


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """One release that should run: ``revision`` is a hash of everything in it.

    A resource is a release of its own, which outlives those of the app; ``resource`` is then its name, and that of
    its only service.
    """

    key: Key
    revision: str
    app: str
    commit: str
    services: tuple[ServiceSpec, ...]
    urls: Mapping[str, str] = field(default_factory=dict)
    """Public service to URL, the main one first."""
    resource: str | None = None

    @property
    def volumes(self) -> frozenset[str]:
        """The names of the volumes that it mounts."""
        return frozenset(name for each in self.services for name in each.volumes.values())

    @property
    def public(self) -> tuple[ServiceSpec, ...]:
        """The services that have a URL, the first one first."""
        return tuple(service for service in self.services if service.host)


class ReleaseState(StrEnum):
    """How far a release got."""

    STARTING = "starting"
    SERVING = "serving"
    FAILED = "failed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One release, tried or running."""

    key: Key
    revision: str
    commit: str
    state: ReleaseState
    triggered_at: datetime
    """When the delivery that led to it was accepted."""
    started_at: datetime
    """When its first program was begun."""
    served_at: datetime | None = None
    """When its URL first answered with it."""
    took: timedelta | None = None
    """How long it then took to come up, counted from when all its images were there."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Service name to URL."""
    reason: str | None = None
    """A ``Reason`` where it failed."""
    service: str | None = None
    """The service that failed."""
    detail: str | None = None
    """What it did, in a few words: ``exits with code 1``."""
    lines: tuple[str, ...] = ()
    """The last lines that the failing service said."""
    log: str | None = None
    """The log of what its hooks said, and whoever failed."""
    tries: int = 0
    """How often it was given up since it last served."""
    failed_at: datetime | None = None
    """When it was given up last."""
    seals: tuple[Seal, ...] = ()
    """The secrets that its programs know, in these versions."""
    spec: ReleaseSpec | None = None
    """What it is, once it served: it can then be put back while a newer one cannot run."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """What its images were."""
