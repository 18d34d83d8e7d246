"""What is known of the world: pull requests, builds, releases, and what runs. Frozen, and without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from previewbot.core.blueprint import Build, Flaw, Health, Kind, Schedule
from previewbot.core.ids import Key
from previewbot.core.secrets import Seal, Template

# --- GitHub ---------------------------------------------------------------------------------------------------------


class Permission(StrEnum):
    """What a person may do in a repository, as GitHub's collaborator permission says it."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def writes(self) -> bool:
        """Whether this permission allows pushing."""
        return self in (Permission.WRITE, Permission.ADMIN)


@dataclass(frozen=True, slots=True)
class Person:
    """An account: ``is_app`` where it belongs to a GitHub App, such as a dependency bot."""

    login: str
    is_app: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in which previewbot is installed; ``full_name`` may change, ``id`` never does."""

    id: int
    full_name: str
    installation: int
    clone_url: str


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as GitHub shows it now."""

    key: Key
    repository: Repository
    title: str
    author: Person
    is_open: bool
    is_merged: bool
    is_draft: bool
    labels: frozenset[str]
    base_branch: str
    head_branch: str
    head_commit: str
    head_repository: int | None
    """``None`` where the repository that it came from was deleted: it then counts as a fork."""
    head_full_name: str | None = None
    closed_at: datetime | None = None

    @property
    def is_fork(self) -> bool:
        """Whether its commits live in another repository, or in one that nobody can name."""
        return self.head_repository != self.repository.id


# --- What people asked ----------------------------------------------------------------------------------------------


class Command(StrEnum):
    """What a comment can ask for."""

    REDEPLOY = "redeploy"
    RUN = "run"
    HELP = "help"
    UNKNOWN = "unknown"
    """It was meant for previewbot, but is none of its commands."""


class AskState(StrEnum):
    """How far a request in a comment got."""

    NEW = "new"
    SEEN = "seen"
    BEGUN = "begun"
    """A job runs because of it, and is never begun again."""
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ask:
    """One command in one comment. ``id`` is the comment's number, so a redelivery is the same ask."""

    id: int
    key: Key
    login: str
    command: Command
    state: AskState = AskState.NEW
    argument: str = ""
    """The job that is to run."""


# --- Building -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """An image that should exist: ``image`` is a hash of everything that goes into it."""

    image: str
    key: Key
    """The environment that wants it first."""
    service: str
    """The first service that wants it."""
    repository: Repository
    commit: str
    build: Build
    fresh: bool = False
    """Built without any cache: somebody wrote ``/redeploy``."""
    sealed: Mapping[str, Seal] = field(default_factory=dict)
    """The secrets that its steps may mount; another value is no reason to build again."""


class BuildState(StrEnum):
    """How far a build is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build, running or over. ``log`` is the unguessable name of its log page."""

    image: str
    key: Key
    service: str
    commit: str
    log: str
    state: BuildState
    started_at: datetime
    finished_at: datetime | None = None
    digest: str | None = None
    """What to run, immutable: an image ID or a registry digest. Set when it succeeded."""
    step: str | None = None
    """The step that it is at, or that it failed at."""
    lines: tuple[str, ...] = ()
    """The last lines of the step that failed."""
    timed_out: bool = False
    """It failed because its time was up."""

    @property
    def took(self) -> timedelta | None:
        """How long it ran, once it is over."""
        return self.finished_at - self.started_at if self.finished_at else None


# --- Running --------------------------------------------------------------------------------------------------------


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
    served_at: datetime | None = None
    """When its URL first answered with it."""
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


# --- What people are told -------------------------------------------------------------------------------------------


class State(StrEnum):
    """The state of an environment in one word, the same in the comment, the log, the metric and ``previewbot list``."""

    BUILDING = "building"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    SKIPPED = "skipped"
    REMOVING = "removing"
    GONE = "gone"


class Reason(StrEnum):
    """Why an environment is in its state; every one has its sentence in ``wire.notice``."""

    SERVING = "serving"
    IMAGES_BUILDING = "images_building"
    RELEASE_STARTING = "release_starting"
    HOOK_RUNNING = "hook_running"
    RESOURCES_STARTING = "resources_starting"
    BUILD_FAILED = "build_failed"
    BUILD_TIMED_OUT = "build_timed_out"
    SOURCE_REFUSED = "source_refused"
    BLUEPRINT_FLAWED = "blueprint_flawed"
    NO_BLUEPRINT = "no_blueprint"
    IMAGE_UNAVAILABLE = "image_unavailable"
    CRASHED = "crashed"
    UNHEALTHY = "unhealthy"
    HOOK_FAILED = "hook_failed"
    RESOURCE_FAILED = "resource_failed"
    SECRETS_MISSING = "secrets_missing"
    RUNTIME_REFUSED = "runtime_refused"
    QUOTA_EXCEEDED = "quota_exceeded"
    UNSCHEDULABLE = "unschedulable"
    FORK = "fork"
    AUTHOR_MAY_NOT_WRITE = "author_may_not_write"
    APP_NOT_ALLOWED = "app_not_allowed"
    DRAFT = "draft"
    LABEL_MISSING = "label_missing"
    LABEL_EXCLUDED = "label_excluded"
    BRANCH_FILTERED = "branch_filtered"
    PATHS_FILTERED = "paths_filtered"
    TEARING_DOWN = "tearing_down"
    CLOSED = "closed"
    MERGED = "merged"
    UNINSTALLED = "uninstalled"
    ENGINE_AWAY = "engine_away"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service's row in the comment."""

    name: str
    url: str | None
    state: str
    """``ready``, ``building``, ``starting``, ``failed``, ``waiting``."""
    image: str
    """How its image came about: ``built in 6 s``, ``reused, unchanged since `a81d0c4```, or empty."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is true of an environment, complete enough to write the comment from it and nothing else."""

    state: State
    reason: Reason
    since: datetime
    """When this state and reason began."""
    commit: str | None = None
    services: tuple[ServiceLine, ...] = ()
    detail: str | None = None
    """The words that belong to the reason: a fork's name, an author's login, ``service **web**, at `Dockerfile:7```."""
    lines: tuple[str, ...] = ()
    """Output worth showing: of a failing step, of a crashing service."""
    flaws: tuple[Flaw, ...] = ()
    log: str | None = None
    """The name of the log page to link."""
    last_good: ReleaseRecord | None = None
    """The release that still serves beside a newer failure or build."""
    seconds: float | None = None
    """From the delivery being accepted to the URL answering with this commit."""
    removed: Removed | None = None
    lived: timedelta | None = None
    commits: int = 0
    repaired: bool = False
    """The sweep found this, not a delivery."""
    parting: str | None = None
    """How the destroy hook failed of what is gone, where it did; ``log`` is what it said."""


# --- What previewbot alone knows ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Published:
    """A text that GitHub shows: where, and the hash of what it last said."""

    id: int
    digest: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A GitHub deployment of one commit, and the last state it was given."""

    id: int
    commit: str
    state: str


@dataclass(frozen=True, slots=True)
class Redeploy:
    """A rebuild from scratch that somebody asked for: it holds for one commit."""

    ask: int
    commit: str


@dataclass(frozen=True, slots=True)
class Record:
    """What previewbot remembers of one environment. Losing it costs history, never an environment."""

    key: Key
    repository_name: str = ""
    app: str | None = None
    status: Status | None = None
    triggered_at: datetime | None = None
    """When the delivery that brought ``commit``, or asked for it again, was accepted."""
    commit: str | None = None
    """The newest commit that was looked at."""
    commits: int = 0
    """How many different commits it has served."""
    created_at: datetime | None = None
    """When something was first built or run for it."""
    comment: Published | None = None
    deployment: Deployment | None = None
    superseded: tuple[int, ...] = ()
    """Deployments of older commits that GitHub still shows as active."""
    redeploy: Redeploy | None = None
    removed: Removed = Removed()
    """What the deletion under way has taken so far."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Service name to the host name claimed for it."""
    farewell: datetime | None = None
    """When its destroy hook was begun; whatever becomes of it, the deletion goes on soon after."""
    parting: str | None = None
    """How its destroy hook failed, where it did: ``exits with code 1``."""
    last_words: str | None = None
    """The log of what its destroy hook said."""
    seeded: frozenset[str] = frozenset()
    """The volumes that were filled."""
    keeps_secrets: bool = False
    """Secrets were made for it alone, and have to go with it."""
