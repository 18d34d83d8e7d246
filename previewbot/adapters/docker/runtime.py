"""Running releases: each has a network of its own, so two of them side by side find their own siblings by name.

A service that a push does not touch goes on: its container joins the newer release (see ``membership``).

Everything is found by its labels and named deterministically, so every effect can be done again. A release is ready
only when its programs were seen to answer. Environments are kept apart by the engine's bridge isolation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from previewbot.adapters.docker import containers, facts, images, membership
from previewbot.adapters.docker.containers import Berth
from previewbot.adapters.docker.deadlines import Deadlines
from previewbot.adapters.docker.engine import Engine, describe, explain, inspect, is_conflict
from previewbot.adapters.docker.images import Image
from previewbot.adapters.docker.inventory import Inventory, Thing, Things, counts
from previewbot.adapters.docker.known import Known
from previewbot.adapters.docker.labels import EDITION, INDEX, LAID, RUN, SERVICE, Names
from previewbot.adapters.docker.limits import Limits
from previewbot.adapters.docker.mounts import open_volumes
from previewbot.adapters.docker.news import News
from previewbot.adapters.docker.rooms import Rooms, foreign
from previewbot.adapters.docker.sights import Sights
from previewbot.adapters.docker.watches import Watches
from previewbot.adapters.exits import cannot_start
from previewbot.adapters.readable import readable
from previewbot.adapters.together import every
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import (
    Observed,
    Reason,
    ReleaseSpec,
    Removed,
    ServiceSpec,
)
from previewbot.ports import Sealed

Json = dict[str, Any]
"""What the engine's API is told."""


class DockerRuntime:
    """A ``ports.Runtime`` on one engine; ``instance`` tells two previewbots on the same engine apart."""

    def __init__(self, engine: Engine, *, instance: str, limits: Limits | None = None) -> None:
        self._engine = engine
        self._names = Names(instance)
        self._limits = limits or Limits()
        self._inventory = Inventory(engine, self._names)
        self._rooms = Rooms(engine, self._names, self._inventory)
        self._known = Known()
        self._news = News(engine, self._names, self._known)
        self._watches = Watches(engine, self._inventory.inspect, self._news.tell)
        self._deadlines = Deadlines(lambda each: self._inventory.end_container(each, self._limits.stop))
        self._sights = Sights(self._inventory, self._watches, self._deadlines, self._known)
        self._locks: WeakValueDictionary[tuple[Key, str], asyncio.Lock] = WeakValueDictionary()

    # --- looking ----------------------------------------------------------------------------------------------------

    async def observe(self, key: Key) -> Observed:
        """See ``Runtime.observe``."""
        return await self._sights.observe(key)

    async def keys(self) -> frozenset[Key]:
        """See ``Runtime.keys``."""
        return (await self._inventory.things()).keys

    def changes(self) -> AsyncIterator[Key]:
        """See ``Runtime.changes``."""
        return self._news.listen()

    async def check(self) -> str:
        """See ``Runtime.check``."""
        return await describe(self._engine)

    async def tail(self, key: Key, revision: str, service: str, *, lines: int, run: str | None = None) -> Sequence[str]:
        """See ``Runtime.tail``. Of several replicas, one that failed speaks; colours and control characters go."""
        listed = [each for each in await self._inventory.containers(key) if each["Labels"].get(SERVICE) == service]
        found = [each for each in listed if revision in membership.releases(each, self._names)]
        if run is not None:
            found = [each for each in found if each["Labels"].get(RUN) == run]
        found.sort(
            key=lambda each: (
                LAID in each["Labels"],
                not self._watches.has_failed(key, each["Id"]),
                each["Labels"].get(INDEX, ""),
            )
        )
        if not found:
            return ()
        return readable(await self._output(found[0]["Id"], lines), lines)

    async def _output(self, id: str, lines: int) -> bytes:
        try:
            said: bytes = await self._engine.call(lambda client: client.logs(id, tail=lines))
        except (NotFound, APIError):
            return b""
        return said

    # --- starting ---------------------------------------------------------------------------------------------------

    async def prepare(self, key: Key, revision: str, services: Sequence[ServiceSpec] = ()) -> None:
        """See ``Runtime.prepare``."""
        async with self._lock(key, revision):
            found, room = await asyncio.gather(self._inventory.containers(key), self._rooms.network(key, revision))
            berths = [
                Berth(key, revision, each, index, room.name) for each in services for index in range(each.replicas)
            ]
        # Nobody waits for it: what is started meanwhile is on the same network, whoever joins it when.
        await every(self._keep(kept, each) for each in berths if (kept := self._going_on(each, found)))

    async def start(
        self,
        release: ReleaseSpec,
        digests: Mapping[str, str],
        services: Collection[str] | None = None,
        sealed: Sealed | None = None,
    ) -> None:
        """See ``Runtime.start``: returns when every container was started, not when it is ready."""
        key, revision = release.key, release.revision
        wanted = [each for each in release.services if services is None or each.name in services]
        async with self._lock(key, revision):
            found, room, found_images = await asyncio.gather(
                self._inventory.containers(key),
                self._rooms.ready(release),
                every(self._image(service, digests) for service in wanted),
            )

        def body(berth: Berth, image: Image) -> Json:
            own = (sealed or {}).get(berth.service.name, {})
            return containers.container(berth, image, own, names=self._names, limits=self._limits)

        berths = [
            (Berth(key, revision, service, index, room.name, release.resource, is_near=room.is_near), image)
            for service, image in zip(wanted, found_images, strict=True)
            for index in range(service.replicas)
        ]
        # No container waits for another one, also of an earlier call: each has a lock of its own.
        await every(self._bring_up(berth, body(berth, image), found) for berth, image in berths)

    async def _image(self, service: ServiceSpec, digests: Mapping[str, str]) -> Image:
        if service.build is None:
            return await images.fetch(self._engine, service.image)
        return await images.find(self._engine, digests[service.image])

    async def _bring_up(self, berth: Berth, body: Json, found: Sequence[Thing]) -> None:
        name = berth.name(self._names)
        there = self._there(berth, found)
        if there and counts(there):
            return
        if kept := self._going_on(berth, found):
            await self._keep(kept, berth)
            self._news.tell(berth.key)  # it is ready, and so nothing else will
            return

        def run(client: docker.APIClient) -> dict[str, Any]:
            made = there["Id"] if there else self._create(client, name, body)
            if berth.service.volumes:
                open_volumes(client, made, berth.service)
            if berth.service.needs:
                membership.connect(client, made, self._names.resources(berth.key))
            if not berth.service.is_laid:
                client.start(made)
            return inspect(client, made)

        asked = self._known.moment
        try:
            async with self._lock(berth.key, name):
                started = facts.read(await self._engine.call(run))
        except (APIError, Transient, Refused) as error:
            raise _cannot_start(berth, error) from error
        self._known.keep(started, asked)
        if started.is_job:
            self._deadlines.watch(berth.key, started)
        else:
            self._watches.begin(berth.key, started)

    def _there(self, berth: Berth, found: Sequence[Thing]) -> Thing | None:
        """Find the container of a berth, running or not."""
        same = (each for each in found if membership.is_of(each, berth.service.name, berth.index))
        return next((each for each in same if berth.revision in membership.releases(each, self._names)), None)

    def _going_on(self, berth: Berth, found: Sequence[Thing]) -> Thing | None:
        """Find what may go on in a berth that is empty: it was seen to answer, and is the same in another release."""
        edition = berth.edition(self._limits)
        if edition is None or self._there(berth, found):
            return None
        same = (each for each in found if membership.is_of(each, berth.service.name, berth.index))
        alike = (each for each in same if each["Labels"].get(EDITION) == edition and each["State"] == "running")
        return next((each for each in alike if self._watches.is_ready(berth.key, each["Id"])), None)

    async def _keep(self, container: Thing, berth: Berth) -> None:
        """Let what runs already, and is the same, belong to a newer release as well, instead of a copy of it."""

        def join(client: docker.APIClient) -> None:
            membership.join(client, container, berth.revision, network=berth.network, names=self._names)

        try:
            await self._engine.call(join)
        except APIError as error:
            raise _cannot_start(berth, error) from error

    def _create(self, client: docker.APIClient, name: str, body: dict[str, Any]) -> str:
        try:
            return str(client.create_container_from_config(body, name)["Id"])
        except APIError as error:
            if not is_conflict(error):
                raise
        there = client.inspect_container(name)
        if not body["Labels"].items() <= (there["Config"].get("Labels") or {}).items():
            raise foreign("container", name)
        return str(there["Id"])

    async def run(self, key: Key, revision: str, service: str, name: str) -> None:
        """See ``Runtime.run``: what is laid is a container that was never started, and each run is a copy of it."""
        async with self._lock(key, revision):
            found = await self._inventory.containers(key, revision)
            laid = next(
                (each for each in found if each["Labels"].get(SERVICE) == service and LAID in each["Labels"]), None
            )
            if laid is None:
                raise Refused(Reason.RUNTIME_REFUSED, f"{service} is not there to be run.")

            def begin(client: docker.APIClient) -> dict[str, Any]:
                seen = client.inspect_container(laid["Id"])
                called = f"{seen['Name'].lstrip('/')}-{name}"
                networks = list(seen["NetworkSettings"]["Networks"])
                home = next((each for each in networks if self._names.revision(each) == revision), networks[0])
                made = self._create(client, called, containers.run(seen, name, home))
                for network in networks:
                    if network != home:
                        membership.connect(client, made, network)
                if inspect(client, made)["State"]["Status"] == "created":
                    client.start(made)
                return inspect(client, made)

            self._deadlines.watch(key, facts.read(await self._engine.call(begin)))

    async def end_run(self, key: Key, revision: str, service: str, name: str) -> None:
        """See ``Runtime.end_run``."""
        found = await self._inventory.containers(key, revision)
        wanted = {SERVICE: service, RUN: name}.items()
        ended = [each["Id"] for each in found if wanted <= each["Labels"].items()]
        await every(self._inventory.remove_container(each, self._limits.stop) for each in ended)

    # --- removing ---------------------------------------------------------------------------------------------------

    async def remove(self, key: Key, revision: str) -> Removed:
        """See ``Runtime.remove``. What belongs to a newer release as well goes on."""
        async with self._lock(key, revision):
            things = await self._inventory.things(key)
            going_on = [each for each in things.of(revision) if things.releases(each) != {revision}]
            await every(self._leave(each, revision) for each in going_on)
            return await self._take(key, things.alone(revision))

    async def _leave(self, container: Thing, revision: str) -> None:
        with suppress(NotFound):  # it is gone: nothing is left to do
            await self._engine.call(lambda client: membership.leave(client, container, revision, self._names))

    async def remove_volumes(self, key: Key, names: Collection[str]) -> Removed:
        """See ``Runtime.remove_volumes``."""
        kept = (await self._inventory.things(key)).kept
        return Removed(
            volumes=sum(await every(self._inventory.remove_volume(kept[each]) for each in names if each in kept))
        )

    async def delete(self, key: Key) -> Removed:
        """See ``Runtime.delete``."""
        async with self._lock(key, ""):
            return await self._take(key, await self._inventory.things(key))

    async def _take(self, key: Key, things: Things) -> Removed:
        self._watches.end(key, [each["Id"] for each in things.containers])
        patience = self._limits.stop
        taken = await every(self._inventory.remove_container(each["Id"], patience) for each in things.containers)
        networks = await every(self._inventory.remove_network(each["Id"]) for each in things.networks)
        # Unnamed volumes went with their containers; the others are asked for by name, and both are counted.
        await every(self._inventory.remove_volume(each["Name"]) for each in things.volumes)
        return Removed(sum(taken), sum(networks), len(things.volumes))

    def close(self) -> None:
        """Stop watching; what runs goes on running."""
        self._watches.close()
        self._deadlines.close()

    def _lock(self, key: Key, revision: str) -> asyncio.Lock:
        return self._locks.setdefault((key, revision), asyncio.Lock())


def _cannot_start(berth: Berth, error: Exception) -> Exception:
    """Say which service it is about; what the engine's OCI runtime refuses, trying again would not mend."""
    if isinstance(error, ImageNotFound | NotFound):
        return Transient(f"Something that service {berth.service.name} needs is gone again.")
    if isinstance(error, APIError):
        return Transient(f"Service {berth.service.name} cannot be started now: {explain(error)}")
    if isinstance(error, Transient) and "oci runtime" in str(error).lower():
        why = cannot_start(str(error)) or f"cannot be started: {error}"
        return Refused(Reason.RUNTIME_REFUSED, f"service **{berth.service.name}** {why}")
    return error
