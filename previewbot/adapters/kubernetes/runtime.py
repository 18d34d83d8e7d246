"""Running releases in a cluster: a namespace for every environment, fenced in before any program is in it.

Looking costs no request (see ``mirror``); every write is an apply of a whole manifest, left out where the object is
already just that. In a namespace that carries our labels with the environment's key the names are ours: whatever else
has one is written over, and only what carries our labels is deleted. The others are never touched (see ``homes``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from weakref import WeakValueDictionary

from previewbot.adapters.kubernetes import drift, enclosure, room, routes, workload
from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.changes import Changes
from previewbot.adapters.kubernetes.endings import ending
from previewbot.adapters.kubernetes.homes import Homes
from previewbot.adapters.kubernetes.kinds import (
    CLAIM,
    DEPLOYMENT,
    JOB,
    NAMESPACE,
    POD,
    REACH,
    SERVICE,
    SLICE,
    Kind,
    Thing,
    is_ending,
)
from previewbot.adapters.kubernetes.losses import Losses
from previewbot.adapters.kubernetes.marks import berth_of, run_of, volume_of
from previewbot.adapters.kubernetes.mirror import Mirror
from previewbot.adapters.kubernetes.names import RUN, Names
from previewbot.adapters.kubernetes.options import Options
from previewbot.adapters.kubernetes.place import Handed, Place
from previewbot.adapters.kubernetes.removals import Removals
from previewbot.adapters.kubernetes.sights import Sights
from previewbot.adapters.kubernetes.workload import CONTAINER, Berth, Program
from previewbot.adapters.kubernetes.writer import Writer
from previewbot.adapters.readable import readable, whole
from previewbot.adapters.together import every
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.model import Observed, Reason, ReleaseSpec, Removed, ServiceSpec
from previewbot.ports import Clock, Sealed

_WATCHED: Sequence[Kind] = (NAMESPACE, *enclosure.KINDS, SERVICE, CLAIM, DEPLOYMENT, JOB, POD, REACH)
_OUTPUT_LIMIT = 1024**2

UserOf = Callable[[str], Awaitable[int | None]]
"""Reads from an image's reference by which number its program should run; ``None``: the image names somebody itself."""


def watched(options: Options) -> Sequence[Kind]:
    """Everything that the runtime and the front door look at."""
    return (*_WATCHED, SLICE, routes.kind(options.routing))


class KubernetesRuntime:
    """A ``ports.Runtime`` on one cluster; ``instance`` tells two previewbots on the same cluster apart."""

    def __init__(
        self,
        api: Api,
        mirror: Mirror,
        *,
        names: Names,
        options: Options,
        user_of: UserOf,
        clock: Clock,
        handed: Callable[[], Handed] = Handed,
    ) -> None:
        """``handed`` says what every namespace is to be given now; ``Mirror.tell`` whose has to be looked at anew."""
        self._api = api
        self._mirror = mirror
        self._writer = Writer(api, mirror)
        self._homes = Homes(self._writer, names, options, handed)
        self._removals = Removals(self._writer)
        self._options = options
        self._user_of = user_of
        self._clock = clock
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._looks: dict[Key, asyncio.TimerHandle] = {}
        self._losses = Losses()
        self._sights = Sights(mirror, options.patience, self._losses)
        self._changes = Changes(mirror, self._homes.place)

    # --- looking ----------------------------------------------------------------------------------------------------

    async def observe(self, key: Key) -> Observed:
        """See ``Runtime.observe``. A namespace that is being deleted is no leftover, it is ending."""
        await self._mirror.ready()
        now = self._clock.now()
        living = self._mirror.living(key)
        endings = tuple(ending(each, now) for each in self._mirror.namespaces(key) if is_ending(each))
        if not living:
            self._changes.forget(key)
            return Observed(ending=endings)
        home, changed = living[0]["metadata"]["name"], self._changes.of(key, living[0])
        releases, look_at = self._sights.releases(home, now, changed.revisions)
        self._look_again(key, look_at, now)
        return Observed(
            releases=releases,
            leftovers=len(living),
            volumes=frozenset(volume_of(each) for each in self._mirror.of(CLAIM, home)),
            ending=endings,
            drifted=changed.fence,
            outdated=changed.outdated,
        )

    async def keys(self) -> frozenset[Key]:
        """See ``Runtime.keys``."""
        await self._mirror.ready()
        return self._mirror.keys()

    def changes(self) -> AsyncIterator[Key]:
        """See ``Runtime.changes``."""
        return self._mirror.listen()

    async def check(self) -> str:
        """See ``Runtime.check``."""
        return f"Kubernetes {await self._api.version()} at {self._api.name}"

    def _look_again(self, key: Key, at: datetime | None, now: datetime) -> None:
        """Wake the environment when time alone may have changed a verdict."""
        if pending := self._looks.pop(key, None):
            pending.cancel()
        if at is not None:
            delay = max((at - now).total_seconds(), 0) + 0.01
            self._looks[key] = asyncio.get_running_loop().call_later(delay, self._mirror.tell, key)

    async def tail(self, key: Key, revision: str, service: str, *, lines: int, run: str | None = None) -> Sequence[str]:
        """See ``Runtime.tail``. Of several pods, one that is not ready speaks; control characters go."""
        await self._mirror.ready()
        name = self._mirror.home(key)
        if name is None:
            return ()
        pods = [each for each in self._mirror.of(POD, name) if berth_of(each) == (revision, service)]
        if run is not None:
            pods = [each for each in pods if each["metadata"]["labels"].get(RUN) == run]
        pods.sort(key=_is_ready)
        if not pods:
            return ()
        pod = pods[0]["metadata"]["name"]

        async def read(count: int) -> bytes:
            return await self._api.logs(name, pod, container=CONTAINER, lines=count, limit=_OUTPUT_LIMIT)

        return readable(await whole(read, lines, limit=_OUTPUT_LIMIT), lines)

    # --- starting ---------------------------------------------------------------------------------------------------

    async def prepare(
        self,
        key: Key,
        revision: str,  # noqa: ARG002 - one fence for all releases
        services: Sequence[ServiceSpec] = (),  # noqa: ARG002 - each knows its siblings by their addresses: none goes on
    ) -> None:
        """See ``Runtime.prepare``."""
        await self._mirror.ready()
        async with self._lock(key):
            await self._homes.enclose(key)

    async def start(
        self,
        release: ReleaseSpec,
        digests: Mapping[str, str],
        services: Collection[str] | None = None,
        sealed: Sealed | None = None,
    ) -> None:
        """See ``Runtime.start``: returns when everything was applied, not when it is ready."""
        if why := room.excess(release, self._options):
            raise Refused(Reason.QUOTA_EXCEEDED, why)
        await self._mirror.ready()
        wanted = [each for each in release.services if services is None or each.name in services]
        async with self._lock(release.key):
            place = await self._homes.enclose(release.key)
            siblings = await self._addresses(place, release)
            await every(self._claim(place, each) for each in sorted(release.volumes))
            images = {each.name: digests.get(each.image) if each.build else each.image for each in wanted}

            async def deploy(spec: ServiceSpec, image: str) -> None:
                own = (sealed or {}).get(spec.name, {})
                user = spec.user if spec.user is not None else await self._user_of(image)
                program = Program(image, user, {} if release.resource else siblings, sorted(own))
                await self._deploy(Berth(place, release.revision, spec, release.resource), program, own)

            known = ((spec, image) for spec in wanted if (image := images[spec.name]))
            await every(deploy(spec, image) for spec, image in known)

    async def _deploy(self, berth: Berth, program: Program, sealed: Mapping[str, str]) -> None:
        """Run one service; its secrets are there before it, and go with it. They are written and never read back.

        They have an owner from their first moment on: whatever hinders what comes after that, they do not outlive it.
        """
        manifest = workload.workload(berth, program)
        if berth.spec.is_laid:
            await self._clear(manifest)
        if not sealed:
            await self._writer.apply(manifest)
            return
        owner = self._writer.find(manifest) or await self._writer.apply(workload.asleep(manifest))
        await self._api.apply(workload.secret(berth, sealed, owner))
        for pod in self._mirror.of(POD, berth.place.namespace):
            if berth_of(pod) == (berth.revision, berth.spec.name):
                self._losses.note_written(pod, self._clock.now())
        made = await self._writer.apply(manifest)
        if made["metadata"]["uid"] != owner["metadata"]["uid"]:  # somebody deleted it meanwhile
            await self._api.apply(workload.secret(berth, sealed, made))

    async def _clear(self, manifest: Thing) -> None:
        """Take a job that is laid away where it is not what it should be: hardly anything of a job can be changed."""
        found = self._writer.find(manifest)
        if found is not None and not drift.is_up_to_date(found, manifest):
            await self._writer.delete(found)

    async def _claim(self, place: Place, name: str) -> None:
        """Make a volume; one that is there stays as it is, for no claim can be changed."""
        if self._mirror.find(CLAIM, place.namespace, name) is None:
            await self._writer.apply(workload.claim(place, name))

    async def _addresses(self, place: Place, release: ReleaseSpec) -> Mapping[str, str]:
        specs = [each for each in release.services if each.port is not None]
        berths = [Berth(place, release.revision, each, release.resource) for each in specs]
        made = await every(self._writer.apply(workload.service(each)) for each in berths)
        return {spec.name: found["spec"]["clusterIP"] for spec, found in zip(specs, made, strict=True)}

    async def run(self, key: Key, revision: str, service: str, name: str) -> None:
        """See ``Runtime.run``: what is laid is a suspended job, and each run is a copy of it."""
        await self._mirror.ready()
        async with self._lock(key):
            home = self._mirror.home(key)
            jobs = self._mirror.of(JOB, home) if home else ()
            laid = next(
                (each for each in jobs if berth_of(each) == (revision, service) and each["spec"].get("suspend")), None
            )
            if home is None or laid is None:
                raise Refused(Reason.RUNTIME_REFUSED, f"{service} is not there to be run.")
            made = workload.run(self._homes.place(key, home), laid, name)
            if self._mirror.find(JOB, home, made["metadata"]["name"]) is None:
                self._mirror.note(await self._api.apply(made))

    async def end_run(self, key: Key, revision: str, service: str, name: str) -> None:
        """See ``Runtime.end_run``."""
        await self._mirror.ready()
        home = self._mirror.home(key)
        jobs = self._mirror.of(JOB, home) if home else ()
        ended = [each for each in jobs if berth_of(each) == (revision, service) and run_of(each) == name]
        await every(self._writer.delete(each) for each in ended)

    # --- removing ---------------------------------------------------------------------------------------------------

    async def remove(self, key: Key, revision: str) -> Removed:
        """See ``Runtime.remove``."""
        await self._mirror.ready()
        async with self._lock(key):
            return await self._removals.remove(key, revision)

    async def remove_volumes(self, key: Key, names: Collection[str]) -> Removed:
        """See ``Runtime.remove_volumes``."""
        await self._mirror.ready()
        async with self._lock(key):
            return await self._removals.remove_volumes(key, names)

    async def delete(self, key: Key) -> Removed:
        """See ``Runtime.delete``: asks for the end of the namespace; until then the environment is ending."""
        await self._mirror.ready()
        async with self._lock(key):
            return await self._removals.delete(key)

    def close(self) -> None:
        """Stop waking; what runs goes on running."""
        for pending in self._looks.values():
            pending.cancel()
        self._looks.clear()

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


def _is_ready(pod: Thing) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return bool(statuses) and all(each.get("ready") for each in statuses)
