"""What previewbot remembers, and the queue of what is due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from previewbot.core.ids import Key, Topic
from previewbot.core.model import Ask, AskState, BuildRecord, Record, ReleaseRecord


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook delivery whose signature was right."""

    id: str
    event: str
    received_at: datetime
    patience: timedelta = timedelta(0)
    """How long what it touches may wait before it is looked at."""


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

    async def wait(self) -> None:
        """Wait until ``wake`` is called or a topic is due."""

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
