"""What the engine and the web need of the world, each in one Protocol and in core's words.

Every method may raise ``Transient`` or ``Refused`` (``core.errors``) and nothing else on purpose. Every effect is
idempotent: done twice, or done again after a crash in the middle, it leaves the world as if done once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from previewbot.core.blueprint import Resource
from previewbot.core.ids import Key, Topic
from previewbot.core.model import (
    Ask,
    AskState,
    BuildRecord,
    ImageOrder,
    Observed,
    Permission,
    PullRequest,
    Record,
    ReleaseRecord,
    ReleaseSpec,
    Removed,
    Repository,
)
from previewbot.core.secrets import Scope, SecretName

# --- GitHub ---------------------------------------------------------------------------------------------------------


class DeploymentState(StrEnum):
    """The states of a GitHub deployment that previewbot uses."""

    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    INACTIVE = "inactive"


class Reaction(StrEnum):
    """How previewbot answers a comment without words."""

    SEEN = "eyes"
    DONE = "+1"
    REFUSED = "-1"


@dataclass(frozen=True, slots=True)
class PullSummary:
    """One open pull request in a listing."""

    key: Key
    head_commit: str


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A webhook delivery that GitHub could not hand over; ``guid`` is its ``X-GitHub-Delivery``."""

    id: int
    guid: str
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class Allowance:
    """What GitHub still takes from us before it says "not now"."""

    requests: int | None
    """Of the installation that has fewest left; ``None`` while that is not known."""
    writes: int
    """Comments, deployments and the like, within an hour."""


class Hub(Protocol):
    """GitHub, as the app that is installed there."""

    def allowance(self) -> Allowance:
        """Say what is left, as far as GitHub's answers told; asks nobody."""

    async def repository(self, id: int) -> Repository | None:
        """Find a repository in which the app is installed; ``None`` only if GitHub confirms that it is not."""

    async def repositories(self) -> Sequence[Repository]:
        """List every repository of every installation."""

    async def pull(self, repository: Repository, number: int) -> PullRequest | None:
        """Read one pull request; ``None`` if GitHub says that it does not exist."""

    async def open_pulls(self, repository: Repository) -> Sequence[PullSummary]:
        """List the open pull requests of a repository."""

    async def permission(self, repository: Repository, login: str) -> Permission:
        """Say what a person may do there now; ``NONE`` for strangers and for names that GitHub does not know."""

    async def changed_paths(self, pull: PullRequest) -> Sequence[str]:
        """List the paths that a pull request changes, old names included."""

    async def comment(self, pull: PullRequest, marker: str, body: str, *, known: int | None, final: bool) -> int | None:
        """Create or edit the one comment that carries ``marker``, and return its id.

        ``known`` saves the look for it. ``None`` comes back where the budget of content writes holds back a text
        that is not ``final``; a ``final`` one raises ``Transient`` instead.
        """

    async def deploy(self, pull: PullRequest, *, environment: str) -> int:
        """Find or create the deployment of the head commit to ``environment``, and return its id."""

    async def report(
        self, repository: Repository, deployment: int, state: DeploymentState, *, url: str | None, log_url: str | None
    ) -> None:
        """Add a status to a deployment."""

    async def react(self, repository: Repository, comment: int, reaction: Reaction) -> None:
        """Put a reaction on a comment; a comment that is gone is fine."""

    async def failed_deliveries(self, since: datetime) -> Sequence[FailedDelivery]:
        """List deliveries whose every attempt failed since then."""

    async def redeliver(self, delivery: FailedDelivery) -> None:
        """Ask GitHub to send a delivery again."""


# --- Source ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credential:
    """What opens a repository over HTTP, for a short time. Its text never shows the token."""

    token: str

    def __repr__(self) -> str:
        """Hide the token."""
        return "Credential(token=…)"


class Source(Protocol):
    """The code of the apps, commit by commit. Paths that leave the tree are ``Refused('source_refused', …)``."""

    async def fetch(self, repository: Repository, commit: str) -> None:
        """Bring a commit into the mirror; fast where it is already there."""

    async def read(self, repository: Repository, commit: str, path: str, *, limit: int) -> bytes | None:
        """Read one file of a fetched commit; ``None`` where it is not there. Longer than ``limit`` is refused."""

    async def tree(self, repository: Repository, commit: str, path: str) -> str | None:
        """Name the content of a folder of a fetched commit by git's tree hash; ``None`` where it is not there."""

    def checkout(self, repository: Repository, commit: str) -> AbstractAsyncContextManager[Path]:
        """Give a clean tree of a fetched commit for as long as the context lasts."""

    async def forget(self, repository: int) -> None:
        """Delete the mirror of a repository that is gone."""


# --- Building -------------------------------------------------------------------------------------------------------

Finished = Callable[[BuildRecord], Awaitable[None]]
"""What a builder tells when a build is over."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of ours that exists, whether or not anything uses it."""

    image: str
    digest: str
    in_use: bool


class Builder(Protocol):
    """What turns a commit into images."""

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        """Find those of the images that exist: image to digest."""

    def running(self) -> Mapping[str, BuildRecord]:
        """Show the builds that are under way or wait for their turn, by image."""

    async def start(
        self, order: ImageOrder, *, log: str, finished: Finished, secrets: Mapping[str, str] | None = None
    ) -> BuildRecord:
        """Begin a build in the background and return at once; one that is already under way is that one.

        ``secrets`` has the values that its steps may mount, by name: none is in the image or in the log.

        ``finished`` is awaited once with the build's last record (also after ``cancel``). The log goes to the file
        of the name ``log`` while it is written.
        """

    async def cancel(self, image: str) -> None:
        """Stop a build that nobody wants any more; one that is over is fine."""

    async def images(self) -> Sequence[StoredImage]:
        """List every image of ours."""

    async def discard(self, image: str) -> None:
        """Delete one image of ours; in use or gone is fine."""

    async def close(self) -> None:
        """Stop every build under way."""


# --- Running --------------------------------------------------------------------------------------------------------


Sealed = Mapping[str, Mapping[str, str]]
"""Service to variables that are secret."""


class Runtime(Protocol):
    """What runs releases: never adopts or deletes a thing that does not carry our labels."""

    async def observe(self, key: Key) -> Observed:
        """Read everything of one environment but its routes."""

    async def keys(self) -> frozenset[Key]:
        """List every environment that has anything there."""

    async def prepare(self, key: Key, revision: str) -> None:
        """Make what a release needs before its images exist: its network."""

    async def start(
        self,
        release: ReleaseSpec,
        digests: Mapping[str, str],
        services: Collection[str] | None = None,
        sealed: Sealed | None = None,
    ) -> None:
        """Start these services of a release (``None``: all) beside whatever runs; what is over is not run again.

        ``digests`` turns an image of ours into what to run. ``sealed`` has the variables that are secret.
        """

    async def tail(self, key: Key, revision: str, service: str, *, lines: int, run: str | None = None) -> Sequence[str]:
        """Read the last lines that a service of a release said, or one run of it."""

    async def run(self, key: Key, revision: str, service: str, name: str) -> None:
        """Run a program of a release that is laid, once under each name; a name is a part of a host name."""

    async def end_run(self, key: Key, revision: str, service: str, name: str) -> None:
        """Take one run away, whether it is over or not; gone is fine."""

    async def remove(self, key: Key, revision: str) -> Removed:
        """Take one release away, gracefully."""

    async def remove_volumes(self, key: Key, names: Collection[str]) -> Removed:
        """Take volumes of an environment away; gone is fine, in use is ``Transient``."""

    async def delete(self, key: Key) -> Removed:
        """Take everything of an environment away."""

    def changes(self) -> AsyncIterator[Key]:
        """Yield the key of an environment whenever something of it changes; ends when the engine goes away."""

    async def check(self) -> str:
        """Describe the engine in a line; ``Transient`` where it does not answer."""


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


class FrontDoor(Protocol):
    """What turns host names into running services."""

    async def observe(self, key: Key) -> Mapping[str, tuple[str, ...]]:
        """Read the routes of one environment: host to addresses."""

    async def keys(self) -> frozenset[Key]:
        """List every environment that has a route."""

    async def route(self, key: Key, routes: Mapping[str, tuple[str, ...]]) -> None:
        """Make the routes of an environment exactly these, without dropping a request; none at all removes them."""

    async def check(self) -> str:
        """Describe the front door in a line; ``Transient`` where it does not answer."""


# --- Remembering ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook delivery whose signature was right."""

    id: str
    event: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one topic until it lapses."""

    topic: Topic
    generation: int
    token: str
    touched_at: datetime
    """When the oldest wake-up that this lease serves was added."""
    attempt: int
    """1 for the first, and one more after each failure in a row."""


class Inbox(Protocol):
    """The door's side of the store."""

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        """Put a delivery, its asks and its due topics on disk, all or nothing; ``False`` if it was there already."""


class Queue(Protocol):
    """A durable set of topics that deserve a look."""

    async def add(self, topics: Collection[Topic], at: datetime) -> None:
        """Make topics due at a time, or sooner where they already are."""

    async def lease(self, now: datetime) -> Lease | None:
        """Take the topic that is due longest."""

    async def renew(self, lease: Lease, now: datetime) -> bool:
        """Keep a lease for longer; ``False`` if another worker has it."""

    async def settle(self, lease: Lease, *, due: datetime | None, failed: bool = False, unserved: bool = False) -> None:
        """Give a lease back; touched meanwhile, it is due at once, else at ``due`` (``None``: not by itself).

        ``failed`` and ``unserved`` keep its wake-ups for the next lease; what is merely unserved counts no failure.
        """

    async def next_due(self) -> datetime | None:
        """Say when the next topic without a lease is due."""

    def wake(self) -> None:
        """Wake whoever waits for work in this process."""

    async def wait(self, until: datetime | None) -> None:
        """Wait until ``wake`` is called or a time has come."""

    async def depth(self, now: datetime) -> int:
        """Count what is due and not leased."""


class Records(Protocol):
    """What previewbot remembers."""

    async def load(self, key: Key) -> Record:
        """Read the record of an environment; an unknown one is empty."""

    async def save(self, record: Record) -> None:
        """Write a record whole."""

    async def records(self, repository: int | None = None) -> Sequence[Record]:
        """List all records, newest first, of one repository where it is given."""

    async def forget(self, key: Key) -> None:
        """Delete a record with its builds, releases and asks."""

    async def claim(self, key: Key, hosts: Collection[str]) -> Collection[str]:
        """Claim host names for an environment; returns those that are now its own."""

    async def release_hosts(self, key: Key) -> None:
        """Give all host names of an environment back."""

    async def find_host(self, host: str) -> Key | None:
        """Say whose host name this is."""

    async def asks(self, key: Key) -> Sequence[Ask]:
        """List the asks of an environment that are neither done nor refused, oldest first."""

    async def mark(self, ask: Ask, state: AskState) -> None:
        """Move an ask to a state."""

    async def builds(self, images: Collection[str]) -> Mapping[str, BuildRecord]:
        """Find the newest build of each image."""

    async def find_log(self, log: str) -> BuildRecord | None:
        """Find the build that writes a log of this name."""

    async def save_build(self, build: BuildRecord) -> None:
        """Write a build; its ``log`` is its identity."""

    async def releases(self, key: Key) -> Sequence[ReleaseRecord]:
        """List the releases of an environment, newest first."""

    async def save_release(self, release: ReleaseRecord) -> None:
        """Write a release; key and revision are its identity."""

    async def use_images(self, images: Collection[str], at: datetime) -> None:
        """Note that images were wanted at a time."""

    async def unused_images(self, before: datetime) -> Sequence[str]:
        """List the images that nobody wanted since then."""

    async def forget_images(self, images: Collection[str], before: datetime) -> None:
        """Forget images that are gone, but for those that somebody wanted since then."""

    async def last_delivery(self) -> datetime | None:
        """Say when the newest delivery that is remembered came in."""

    async def prune(self, before: datetime) -> None:
        """Delete deliveries older than this; nothing else grows without end."""

    async def check(self) -> str:
        """Describe the database in a line."""


class Store(Inbox, Queue, Records, Protocol):
    """All of it: one database."""


# --- The rest -------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """What time it is, so that tests can say so."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""


class Outcome(StrEnum):
    """What a pass or an action came to."""

    DONE = "done"
    TRANSIENT = "transient"
    REFUSED = "refused"
    BUG = "bug"


class Repair(StrEnum):
    """What was found although nothing had told of it, and is put right."""

    COMMIT = "commit"
    """A pull request, or its newest commit, that nobody had looked at."""
    CLOSING = "closing"
    ORPHAN = "orphan"
    """Something of ours that runs for no living environment."""
    DELIVERY = "delivery"
    """A delivery that GitHub could not hand over."""
    DRIFT = "drift"
    """Something of an environment that was deleted or changed by others."""


class Meter(Protocol):
    """What counts, for the operator. It is never told whose environment it was: that would be a label for each."""

    def served(self, after: timedelta) -> None:
        """A release serves for the first time, this long after the delivery that asked for it was accepted."""

    def built(self, result: str, took: timedelta) -> None:
        """A build is over."""

    def acted(self, action: str, outcome: Outcome) -> None:
        """An action of a plan is over."""

    def passed(self, kind: str, outcome: Outcome, took: timedelta) -> None:
        """A pass over a topic of this kind (``key`` or ``survey``) is over."""

    def repaired(self, what: Repair, count: int = 1) -> None:
        """Something was found that nothing had told of."""


class Logs(Protocol):
    """Build logs that people read while they grow."""

    def path(self, log: str) -> Path:
        """Where the log of this name is; names that are not ours are refused with ``ValueError``."""
