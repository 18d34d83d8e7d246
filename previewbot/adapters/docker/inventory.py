"""Listing what one instance has in the engine, and taking things away one by one. Each removal counts what it took.

Everything is found by labels, so a foreign thing can neither be listed nor removed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import docker
from docker.errors import APIError, NotFound

from previewbot.adapters.docker import facts
from previewbot.adapters.docker.engine import Engine, inspect, is_conflict
from previewbot.adapters.docker.facts import Facts
from previewbot.adapters.docker.labels import LAID, RESOURCE, REVISION, VOLUME, Names, Target, key_of
from previewbot.adapters.docker.membership import first, home, releases
from previewbot.adapters.together import every
from previewbot.core.errors import Transient
from previewbot.core.ids import Key

Thing = dict[str, Any]

_ALIVE = frozenset({"running", "restarting", "paused", "stopping", "stopped"})
"""The last two are Podman's: a container that is ending, and one that it has not cleaned up after or started again."""
_GONE_AFTER = 10.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Things:
    """What the engine lists, as it lists it."""

    names: Names
    containers: list[Thing]
    networks: list[Thing]
    volumes: list[Thing]

    @property
    def revisions(self) -> tuple[str, ...]:
        """The releases that any container belongs to, and those of which only the network is there."""
        prepared = {_labels(each).get(REVISION) for each in self.networks} - self.homes
        found = {*prepared, *(revision for each in self.containers for revision in self.releases(each))}
        return tuple(sorted(revision for revision in found if revision))

    @property
    def homes(self) -> frozenset[str]:
        """The releases that the containers were made for, also those that none of them belongs to any more."""
        return frozenset(found for each in self.containers if (found := home(each)))

    def releases(self, container: Thing) -> frozenset[str]:
        """The releases that a container belongs to."""
        return releases(container, self.names)

    def is_joined(self, revision: str) -> bool:
        """Whether every container of a release belongs to an older one as well."""
        own = self.of(revision)
        return bool(own) and all(first(each, self.names) != revision for each in own)

    def of(self, revision: str) -> list[Thing]:
        """The containers that belong to a release."""
        return [each for each in self.containers if revision in self.releases(each)]

    def alone(self, revision: str) -> Things:
        """What goes with a release: what belongs to no other one, and the homes that nothing is left of."""
        ends = [each for each in self.containers if self.releases(each) == {revision}]
        rest = Things(self.names, [each for each in self.containers if each not in ends], [], [])
        gone = {revision, *map(home, ends)} - rest.homes - ({*rest.revisions} - {revision})
        networks, volumes = (
            [each for each in things if _labels(each).get(REVISION) in gone] for things in (self.networks, self.volumes)
        )
        return Things(self.names, ends, networks, volumes)

    @property
    def keys(self) -> frozenset[Key]:
        """The environments of which anything is there."""
        found = (key_of(_labels(each)) for each in (*self.containers, *self.networks, *self.volumes))
        return frozenset(key for key in found if key)

    @property
    def resources(self) -> Mapping[str, str]:
        """Those releases that are resources: revision to the name of the resource."""
        labels = [_labels(each) for each in self.containers]
        return {each[REVISION]: each[RESOURCE] for each in labels if RESOURCE in each and REVISION in each}

    @property
    def kept(self) -> Mapping[str, str]:
        """The volumes that belong to an environment: name to what the engine calls it."""
        return {_labels(each)[VOLUME]: each["Name"] for each in self.volumes if VOLUME in _labels(each)}

    @property
    def leftovers(self) -> int:
        """How many networks and volumes belong to no release."""
        revisions = {*self.revisions, *self.homes}
        return sum(_labels(each).get(REVISION) not in revisions for each in (*self.networks, *self.volumes))


def _labels(thing: Thing) -> dict[str, str]:
    return thing.get("Labels") or {}


def counts(container: Thing) -> bool:
    """Whether a listed container is worth a start: it runs, will run again, or is a job's and ran to its end."""
    labels = _labels(container)
    if LAID in labels:
        return bool(container["State"] == "created")
    is_job = not Target.read(labels).kind.stays
    return container["State"] in _ALIVE or (is_job and container["State"] == "exited")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The things of one instance."""

    engine: Engine
    names: Names

    async def things(self, key: Key | None = None) -> Things:
        """List everything of an instance or an environment."""
        containers, networks, volumes = await every(
            [
                self.containers(key),
                self.networks(key),
                self._list(lambda client, filters: client.volumes(filters=filters)["Volumes"] or [], key),
            ]
        )
        return Things(self.names, containers, networks, volumes)

    async def containers(self, key: Key | None = None, revision: str | None = None) -> list[Thing]:
        """List the containers, stopped ones included."""
        return await self._list(lambda client, filters: client.containers(all=True, filters=filters), key, revision)

    async def networks(self, key: Key | None = None) -> list[Thing]:
        """List the networks."""
        return await self._list(lambda client, filters: client.networks(filters=filters), key)

    async def _list(
        self, ask: Callable[[docker.APIClient, Any], list[Thing]], key: Key | None, revision: str | None = None
    ) -> list[Thing]:
        filters = self.names.filters(key, revision)
        return await self.engine.call(lambda client: ask(client, filters))

    async def inspect(self, id: str) -> Facts | None:
        """Look at one container; ``None`` where it is gone."""
        try:
            return facts.read(await self.engine.call(lambda client: inspect(client, id)))
        except NotFound:
            return None

    async def remove_container(self, id: str, patience: timedelta) -> int:
        """End a container, by force once its patience is over, and take it away with its unnamed volumes."""

        def take(client: docker.APIClient) -> int:
            try:
                client.stop(id, timeout=int(patience.total_seconds()))
                client.remove_container(id, v=True, force=True)
            except NotFound:
                return 0
            except APIError as error:
                if not is_conflict(error):
                    raise
                _await_end(client, id)
                return 0
            return 1

        return await self.engine.call(take, slow=True)

    async def end_container(self, id: str, patience: timedelta) -> None:
        """End a container, by force once its patience is over, and leave it there with what it said."""

        def end(client: docker.APIClient) -> None:
            with suppress(NotFound):
                client.stop(id, timeout=int(patience.total_seconds()))

        await self.engine.call(end, slow=True)

    async def remove_network(self, id: str) -> int:
        """Take a network away; whatever else somebody connected to it is disconnected, not touched."""

        def take(client: docker.APIClient) -> int:
            for _ in range(_TRIES):
                try:
                    client.remove_network(id)
                except NotFound:
                    return 0
                except APIError as error:
                    if not is_conflict(error):
                        raise
                    _disconnect_all(client, id)
                else:
                    return 1
            raise Transient("A network is still in use.")

        return await self.engine.call(take)

    async def remove_volume(self, name: str) -> int:
        """Take a volume away."""

        def take(client: docker.APIClient) -> int:
            try:
                client.remove_volume(name, force=True)
            except NotFound:
                return 0
            except APIError as error:
                if is_conflict(error):
                    raise Transient("A volume is still in use.") from error
                raise
            return 1

        return await self.engine.call(take)


def _await_end(client: docker.APIClient, id: str) -> None:
    """Wait for somebody else's removal of the same container."""
    end = time.monotonic() + _GONE_AFTER
    while time.monotonic() < end:
        try:
            client.inspect_container(id)
        except NotFound:
            return
        time.sleep(0.05)
    raise Transient("A container is still on its way out.")


def _disconnect_all(client: docker.APIClient, id: str) -> None:
    for container in client.inspect_network(id).get("Containers") or {}:
        try:
            client.disconnect_container_from_network(container, id, force=True)
        except NotFound:
            continue
        except APIError as error:
            if not is_conflict(error):
                raise
