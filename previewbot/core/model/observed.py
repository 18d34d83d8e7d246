"""What runs, as the runtime and the front door show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from previewbot.core.blueprint import Schedule
from previewbot.core.model.reasons import Reason


class InstanceState(StrEnum):
    """How one container is."""

    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    """It ran to its end, as a job does, and ended well."""
    LAID = "laid"
    """It is ready to be run, as a job that nobody asked for yet."""
    FAILED = "failed"
    """It will not become ready: it exits again and again, or its time is up."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a service. ``address`` is where the front door reaches it (``host:port``)."""

    service: str
    index: int
    state: InstanceState
    address: str | None = None
    detail: str | None = None
    """Why it failed, in a few words: ``exits with code 1``, ``does not listen on port 8080``."""
    reason: Reason | None = None
    """The same as one of the reasons, where the runtime knows better than those words."""
    schedule: Schedule | None = None
    """When it is run, where it is a cron service that is laid."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program that is laid; its state is that of an instance."""

    service: str
    name: str
    state: InstanceState
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """One release as the runtime shows it; without instances where only its network is prepared."""

    revision: str
    instances: tuple[Instance, ...]
    drifted: bool = False
    """Somebody else changed what was started; starting it again puts that back."""
    resource: str | None = None
    """The resource that it is, where it is none of the app's own releases."""
    runs: tuple[Run, ...] = ()
    """What was run of what is laid, as far as it is still there."""
    is_joined: bool = False
    """Everything in it belongs to an older release as well: so far nothing was started for it."""

    @property
    def runnable(self) -> tuple[str, ...]:
        """The jobs and cron services that can be run by hand; no hook is one."""
        laid = {each.service for each in self.instances if each.state is InstanceState.LAID}
        return tuple(sorted(name for name in laid if "." not in name))

    def is_running(self, service: str) -> bool:
        """Whether a run of a job or a cron service is under way."""
        return any(each.service == service and each.state is InstanceState.STARTING for each in self.runs)

    def of(self, service: str) -> tuple[Instance, ...]:
        """Its instances of one service."""
        return tuple(instance for instance in self.instances if instance.service == service)


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the runtime and the front door show of one environment."""

    releases: tuple[Running, ...] = ()
    leftovers: int = 0
    """Things of this environment that belong to no release, such as volumes."""
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Host name to the addresses behind it."""
    ending: tuple[str, ...] = ()
    """What is being deleted already and takes its time, each with what holds it where that is overdue."""
    drifted: bool = False
    """Somebody else changed what surrounds the releases; preparing one again puts that back."""
    outdated: bool = False
    """What surrounds the releases is as it was left, and would be made otherwise now; preparing one again does."""
    volumes: frozenset[str] = frozenset()
    """The names of the volumes that belong to the environment and not to one release."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the environment is left."""
        return not self.remains and not self.ending

    @property
    def remains(self) -> bool:
        """Whether anything is left that has to be taken away."""
        return bool(self.releases or self.leftovers or self.routes or self.volumes)

    def release(self, revision: str) -> Running | None:
        """The release of this revision, where any of it is there."""
        return next((each for each in self.releases if each.revision == revision), None)


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion took away; counts."""

    containers: int = 0
    networks: int = 0
    volumes: int = 0
    namespaces: int = 0

    def __add__(self, other: Removed) -> Removed:
        """Both together."""
        return Removed(
            self.containers + other.containers,
            self.networks + other.networks,
            self.volumes + other.volumes,
            self.namespaces + other.namespaces,
        )

    @property
    def total(self) -> int:
        """How many things in all."""
        return self.containers + self.networks + self.volumes + self.namespaces
