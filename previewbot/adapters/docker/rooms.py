"""The networks and volumes of an environment: made before the containers that are put on them, once for all of them."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from weakref import WeakValueDictionary

from docker.errors import APIError

from previewbot.adapters.docker import containers
from previewbot.adapters.docker.engine import Engine, is_conflict
from previewbot.adapters.docker.inventory import Inventory
from previewbot.adapters.docker.labels import Names
from previewbot.adapters.together import every
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.model import Reason, ReleaseSpec


@dataclass(frozen=True, slots=True)
class Room:
    """A network."""

    name: str
    is_near: bool
    """Whether whatever is on it is reached from here at its own address: its bridge is one of this machine's.

    An engine without root, in a virtual machine or on another machine has its bridges elsewhere.
    """


class Rooms:
    """Makes what is not there yet. What has a name of ours and is not ours is refused."""

    def __init__(self, engine: Engine, names: Names, inventory: Inventory) -> None:
        self._engine = engine
        self._names = names
        self._inventory = inventory
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def ready(self, release: ReleaseSpec) -> Room:
        """Make the networks and volumes that the containers of a release are put on; returns the main network."""
        room, _ = await asyncio.gather(
            self._networks(release), every(self._volume(release.key, each) for each in sorted(release.volumes))
        )
        return room

    async def _networks(self, release: ReleaseSpec) -> Room:
        if release.resource:
            return await self._shared(release.key)
        if any(each.needs for each in release.services):
            await self._shared(release.key)
        return await self.network(release.key, release.revision)

    async def network(self, key: Key, revision: str) -> Room:
        """Make the network of a release, after all others of its environment."""
        # One at a time: each has a place of its own, and the engine would make a second one of the same name.
        async with self._lock(key):
            found = await self._inventory.networks(key)
            for each in found:
                if self._names.owns(each["Labels"], key, revision):
                    return _room(each["Name"], each["Id"])
            place = 1 + max((self._names.place(each["Name"]) for each in found), default=0)
            return await self._make(self._names.network(key, revision, place), self._names.labels(key, revision))

    async def _shared(self, key: Key) -> Room:
        """Make the network of the resources, on which all releases are."""
        name = self._names.resources(key)
        async with self._lock(key):
            for each in await self._inventory.networks(key):
                if each["Name"] == name:
                    return _room(name, each["Id"])
            return await self._make(name, self._names.labels(key))

    async def _make(self, name: str, labels: dict[str, str]) -> Room:
        try:
            made = await self._engine.call(lambda client: client.create_network(**containers.network(name, labels)))
        except APIError as error:
            if not is_conflict(error):
                raise
            raise foreign("network", name) from error
        return _room(name, made["Id"])

    async def _volume(self, key: Key, name: str) -> None:
        body = containers.volume(key, name, self._names)
        # The engine gives the one that is there, if there is one.
        made = await self._engine.call(lambda client: client.create_volume(**body))
        if not self._names.owns(made["Labels"], key):
            raise foreign("volume", body["name"])

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


def _room(name: str, id: str) -> Room:
    bridge = f"br-{id[:12]}"  # as the engine calls it, where nobody asks for another name
    return Room(name, any(bridge == interface for _, interface in socket.if_nameindex()))


def foreign(kind: str, name: str) -> Refused:
    """Say that a name is taken by a thing of somebody else."""
    return Refused(
        Reason.RUNTIME_REFUSED,
        f"The engine already has a {kind} named `{name}` that is not previewbot's; it was not touched.",
    )
