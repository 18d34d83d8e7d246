"""The front door of a cluster: an object for each host name, which the ingress controller or the Gateway serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from weakref import WeakValueDictionary

from previewbot.adapters.kubernetes import drift, routes
from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.mirror import Mirror
from previewbot.adapters.kubernetes.names import Names
from previewbot.adapters.kubernetes.options import Options
from previewbot.adapters.kubernetes.place import Place
from previewbot.adapters.kubernetes.writer import Writer
from previewbot.adapters.together import every
from previewbot.core.errors import Transient
from previewbot.core.ids import Key


class KubernetesFrontDoor:
    """A ``ports.FrontDoor`` made of Ingresses or HTTPRoutes in the environments' namespaces."""

    def __init__(self, api: Api, mirror: Mirror, *, names: Names, options: Options) -> None:
        self._api = api
        self._mirror = mirror
        self._writer = Writer(api, mirror)
        self._names = names
        self._options = options
        self._kind = routes.kind(options.routing)
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def observe(self, key: Key) -> Mapping[str, tuple[str, ...]]:
        """See ``FrontDoor.observe``. A route that somebody changed leads nowhere that previewbot knows."""
        await self._mirror.ready()
        found: dict[str, tuple[str, ...]] = {}
        for thing in self._things(key):
            read = routes.read(thing)
            found |= dict.fromkeys(read, ()) if drift.has_drifted(thing) else read
        return found

    async def keys(self) -> frozenset[Key]:
        """See ``FrontDoor.keys``: those of every environment that has a thing, which is enough."""
        await self._mirror.ready()
        return self._mirror.keys()

    async def route(self, key: Key, wanted: Mapping[str, tuple[str, ...]]) -> None:
        """See ``FrontDoor.route``: one write for each host whose target is another one."""
        await self._mirror.ready()
        async with self._locks.setdefault(key, asyncio.Lock()):
            manifests = self._manifests(key, wanted) if wanted else []
            kept = {each["metadata"]["name"] for each in manifests}
            await every(self._writer.apply(each) for each in manifests)
            await every(self._writer.delete(each) for each in self._things(key) if each["metadata"]["name"] not in kept)

    def _manifests(self, key: Key, wanted: Mapping[str, tuple[str, ...]]) -> list[Thing]:
        home = self._mirror.home(key)
        if home is None:
            raise Transient("The namespace of the environment is gone; it is made again first.")
        place = Place(self._names, key, home, self._options)
        return [routes.route(place, host, targets[0]) for host, targets in sorted(wanted.items()) if targets]

    def _things(self, key: Key) -> list[Thing]:
        living = (each["metadata"]["name"] for each in self._mirror.living(key))
        return [thing for name in living for thing in self._mirror.of(self._kind, name)]

    async def check(self) -> str:
        """See ``FrontDoor.check``."""
        listing = await self._api.list(self._kind, labelSelector=self._names.selector)
        return f"{len(listing.things)} routes as {self._kind.plural} at {self._api.name}"
