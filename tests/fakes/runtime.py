"""A runtime in memory: what it is told to start runs, unless the test has said how it behaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from previewbot.core.blueprint import Kind
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import (
    Instance,
    InstanceState,
    Observed,
    Reason,
    ReleaseSpec,
    Removed,
    Run,
    Running,
    ServiceSpec,
)
from previewbot.ports import Sealed


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a service turns out, and what it says."""

    state: InstanceState = InstanceState.READY
    detail: str | None = None
    says: tuple[str, ...] = ()
    reason: Reason | None = None


READY = Behaviour()
SLOW = Behaviour(InstanceState.STARTING)


@dataclass(slots=True)
class _Release:
    instances: dict[tuple[str, int], Instance] = field(default_factory=dict)
    spec: dict[str, ServiceSpec] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    resource: str | None = None
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    said: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """What each run said."""
    sealed: Sealed = field(default_factory=dict)


class FakeRuntime:
    """A ``ports.Runtime``. ``behave`` may be replaced at any time; it decides for every service that starts."""

    def __init__(self, behave: Callable[[ServiceSpec], Behaviour] = lambda _: READY) -> None:
        self.behave = behave
        self._releases: dict[Key, dict[str, _Release]] = {}
        self._volumes: dict[Key, set[str]] = {}
        self._said: dict[tuple[Key, str, str], tuple[str, ...]] = {}
        self._listeners: set[asyncio.Queue[Key | None]] = set()
        self._ports = iter(range(20000, 65000))
        self._is_away = False
        self.refuses: str | None = None
        """Why nothing more can be run of what is laid."""
        self.hinders: Refused | None = None
        """Why nothing can be started, such as an image that cannot be pulled."""

    # --- what a test does to it -------------------------------------------------------------------------------------

    def turn(self, key: Key, revision: str, service: str, behaviour: Behaviour) -> None:
        """Let the instances of a service be like this from now on."""
        for place, each in list(self._releases[key][revision].instances.items()):
            if each.service == service:
                turned = replace(each, state=behaviour.state, detail=behaviour.detail, reason=behaviour.reason)
                for own in self._releases[key].values():
                    if own.instances.get(place) is each:
                        own.instances[place] = turned
        self._said[key, revision, service] = behaviour.says
        self._tell(key)

    def lose(self, key: Key, revision: str, service: str) -> None:
        """Forget the instances of a service, as if somebody had deleted them."""
        own = self._releases[key][revision]
        own.instances = {place: each for place, each in own.instances.items() if each.service != service}

    def go_away(self) -> None:
        """Answer nothing any more."""
        self._is_away = True
        for listener in self._listeners:
            listener.put_nowait(None)

    def come_back(self) -> None:
        """Answer again; what ran still runs."""
        self._is_away = False

    def digests(self, key: Key, revision: str) -> Mapping[str, str]:
        """What a release was started with."""
        return self._releases[key][revision].digests

    def sealed(self, key: Key, revision: str) -> Sealed:
        """The secret variables of a release."""
        return self._releases[key][revision].sealed

    # --- the port ---------------------------------------------------------------------------------------------------

    async def observe(self, key: Key) -> Observed:
        self._ask()
        own = self._releases.get(key, {})
        return Observed(
            tuple(
                Running(
                    revision,
                    tuple(each.instances[place] for place in sorted(each.instances)),
                    resource=each.resource,
                    runs=tuple(each.runs[place] for place in sorted(each.runs)),
                    is_joined=self._is_joined(key, revision),
                )
                for revision, each in sorted(own.items())
            ),
            volumes=frozenset(self._volumes.get(key, ())),
        )

    def _is_joined(self, key: Key, revision: str) -> bool:
        own, names = self._releases[key], list(self._releases[key])
        older = [each for name in names[: names.index(revision)] for each in own[name].instances.values()]
        mine = own[revision].instances.values()
        return bool(mine) and all(any(each is other for other in older) for each in mine)

    async def keys(self) -> frozenset[Key]:
        self._ask()
        return frozenset(self._releases) | frozenset(self._volumes)

    async def prepare(self, key: Key, revision: str, services: Sequence[ServiceSpec] = ()) -> None:
        self._ask()
        own = self._releases.setdefault(key, {}).setdefault(revision, _Release())
        for service in services:
            for index in range(service.replicas):
                if kept := self._same(key, service, index):
                    own.instances.setdefault((service.name, index), kept)
                    own.spec[service.name] = service

    async def start(
        self,
        release: ReleaseSpec,
        digests: Mapping[str, str],
        services: Collection[str] | None = None,
        sealed: Sealed | None = None,
    ) -> None:
        await self.prepare(release.key, release.revision)
        if self.hinders:
            raise self.hinders
        own = self._releases[release.key][release.revision]
        wanted = [each for each in release.services if services is None or each.name in services]
        own.resource = release.resource
        own.sealed = {**own.sealed, **(sealed or {})}
        if release.volumes:
            self._volumes.setdefault(release.key, set()).update(release.volumes)
        own.digests = {**own.digests, **{each.image: digests[each.image] for each in wanted if each.build}}
        for service in wanted:
            own.spec[service.name] = service
            for index in range(service.replicas):
                self._bring_up(release, own, service, index)
        self._tell(release.key)

    def _bring_up(self, release: ReleaseSpec, own: _Release, service: ServiceSpec, index: int) -> None:
        if (service.name, index) in own.instances:
            return
        if kept := self._same(release.key, service, index):
            own.instances[service.name, index] = kept
            return
        behaviour = self.behave(service)
        if service.is_laid:
            behaviour = Behaviour(InstanceState.LAID)
        schedule = service.schedule if service.is_laid else None
        if service.kind is Kind.JOB and behaviour.state is InstanceState.READY:
            behaviour = replace(behaviour, state=InstanceState.DONE)
        address = f"127.0.0.1:{next(self._ports)}" if service.port else None
        own.instances[service.name, index] = Instance(
            service.name,
            index,
            behaviour.state,
            address=address,
            detail=behaviour.detail,
            reason=behaviour.reason,
            schedule=schedule,
        )
        self._said[release.key, release.revision, service.name] = behaviour.says

    def _same(self, key: Key, service: ServiceSpec, index: int) -> Instance | None:
        """What runs already of another release, and may go on in this one."""
        for other in self._releases[key].values():
            found, spec = other.instances.get((service.name, index)), other.spec.get(service.name)
            is_same = bool(service.edition) and spec is not None and spec.edition == service.edition
            if found and is_same and found.state is InstanceState.READY:
                return found
        return None

    async def run(self, key: Key, revision: str, service: str, name: str) -> None:
        self._ask()
        own = self._releases[key][revision]
        if service not in own.spec or not own.spec[service].is_laid:
            raise Refused("runtime_refused", f"{service} is not there to be run.")
        if (service, name) in own.runs:
            return
        if self.refuses:
            raise Refused("runtime_refused", self.refuses)
        behaviour = self.behave(own.spec[service])
        state = InstanceState.DONE if behaviour.state is InstanceState.READY else behaviour.state
        own.runs[service, name] = Run(service, name, state, behaviour.detail)
        own.said[service, name] = behaviour.says
        self._tell(key)

    async def end_run(self, key: Key, revision: str, service: str, name: str) -> None:
        self._ask()
        if own := self._releases.get(key, {}).get(revision):
            own.runs.pop((service, name), None)
            own.said.pop((service, name), None)

    async def tail(self, key: Key, revision: str, service: str, *, lines: int, run: str | None = None) -> Sequence[str]:
        self._ask()
        own = self._releases.get(key, {}).get(revision)
        if run is not None:
            return own.said.get((service, run), ())[-lines:] if own else ()
        return self._said.get((key, revision, service), ())[-lines:]

    async def remove(self, key: Key, revision: str) -> Removed:
        self._ask()
        gone = self._releases.get(key, {}).pop(revision, None)
        if not self._releases.get(key):
            self._releases.pop(key, None)
        if gone is None:
            return Removed()
        self._tell(key)
        others = [each for own in self._releases.get(key, {}).values() for each in own.instances.values()]
        ended = [each for each in gone.instances.values() if not any(each is other for other in others)]
        return Removed(containers=len(ended), networks=0 if gone.resource else 1)

    async def remove_volumes(self, key: Key, names: Collection[str]) -> Removed:
        self._ask()
        own = self._volumes.get(key, set())
        specs = [spec for one in self._releases.get(key, {}).values() for spec in one.spec.values()]
        if any(each in names for spec in specs for each in spec.volumes.values()):
            raise Transient("A volume is still in use.")
        gone = own & set(names)
        own -= gone
        if not own:
            self._volumes.pop(key, None)
        return Removed(volumes=len(gone))

    async def delete(self, key: Key) -> Removed:
        self._ask()
        removed = [await self.remove(key, revision) for revision in list(self._releases.get(key, {}))]
        return sum(removed, Removed(volumes=len(self._volumes.pop(key, ()))))

    async def changes(self) -> AsyncIterator[Key]:
        self._ask()
        inbox: asyncio.Queue[Key | None] = asyncio.Queue()
        self._listeners.add(inbox)
        try:
            while (key := await inbox.get()) is not None:
                yield key
        finally:
            self._listeners.discard(inbox)

    async def check(self) -> str:
        self._ask()
        return "an engine in memory"

    def _ask(self) -> None:
        if self._is_away:
            raise Transient("The engine in memory does not answer.")

    def _tell(self, key: Key) -> None:
        for listener in self._listeners:
            listener.put_nowait(key)
