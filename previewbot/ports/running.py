"""What runs releases, and what leads visitors to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from previewbot.core.ids import Key
from previewbot.core.model import Observed, ReleaseSpec, Removed, ServiceSpec

Sealed = Mapping[str, Mapping[str, str]]
"""Service to variables that are secret."""


class Runtime(Protocol):
    """What runs releases: never adopts or deletes a thing that does not carry our labels."""

    async def observe(self, key: Key) -> Observed:
        """Read everything of one environment but its routes."""

    async def keys(self) -> frozenset[Key]:
        """List every environment that has anything there."""

    async def prepare(self, key: Key, revision: str, services: Sequence[ServiceSpec] = ()) -> None:
        """Make what a release needs before its images exist: its network. What of these services may go on joins it."""

    async def start(
        self,
        release: ReleaseSpec,
        digests: Mapping[str, str],
        services: Collection[str] | None = None,
        sealed: Sealed | None = None,
    ) -> None:
        """Start these services of a release (``None``: all) beside whatever runs; what is over is not run again.

        What runs already for another release and is of the same ``edition`` may go on, and then belongs to both.
        ``digests`` turns an image of ours into what to run. ``sealed`` has the variables that are secret.
        """

    async def tail(self, key: Key, revision: str, service: str, *, lines: int, run: str | None = None) -> Sequence[str]:
        """Read the last lines that a service of a release said, or one run of it."""

    async def run(self, key: Key, revision: str, service: str, name: str) -> None:
        """Run a program of a release that is laid, once under each name; a name is a part of a host name."""

    async def end_run(self, key: Key, revision: str, service: str, name: str) -> None:
        """Take one run away, whether it is over or not; gone is fine."""

    async def remove(self, key: Key, revision: str) -> Removed:
        """Take one release away, gracefully; what belongs to another one as well goes on."""

    async def remove_volumes(self, key: Key, names: Collection[str]) -> Removed:
        """Take volumes of an environment away; gone is fine, in use is ``Transient``."""

    async def delete(self, key: Key) -> Removed:
        """Take everything of an environment away."""

    def changes(self) -> AsyncIterator[Key]:
        """Yield the key of an environment whenever something of it changes; ends when the engine goes away."""

    async def check(self) -> str:
        """Describe the engine in a line; ``Transient`` where it does not answer."""


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
