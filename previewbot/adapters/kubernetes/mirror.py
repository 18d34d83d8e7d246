"""A copy of everything of ours in the cluster, kept up to date by watches, so that looking costs no request.

What we write ourselves is noted at once: a look right after an effect sees it. A watch that ends goes on from where
it was; one that cannot (410) lists again; one that ends soon again and again is waited for ever longer. While the API
server is away, or does not know a kind, looking is ``Transient``: an old copy must not decide anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from previewbot.adapters.kubernetes.answers import Stale
from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, JOB, NAMESPACE, POD, SLICE, Kind, Thing, is_ending
from previewbot.adapters.kubernetes.names import key_of
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key

log = structlog.get_logger(__name__)

_PATIENCE = 10.0
"""Seconds that a look waits for a copy that is being made."""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LATE = 0.5
"""Seconds without a watch, and the copy counts as old."""
_HEALTHY = 5.0
"""Seconds that a watch lasts which is none of a row of failures."""
_TOMBSTONES = 4096
_HOLDING = (DEPLOYMENT, JOB)
"""The kinds that name images: a job that is laid has no pod, and needs its image all the same."""
_ELSEWHERE = {SLICE: ("default", "kubernetes.io/service-name=kubernetes")}
"""What is not ours: in which namespace, and by which labels. It says where the cluster's own API is."""
_TELLING = (NAMESPACE, POD, DEPLOYMENT, JOB)
"""The kinds whose status anybody looks at; that of a quota changes with everything that is made."""


@dataclass(slots=True)
class _Shelf:
    """All objects of one kind, by namespace and name."""

    kind: Kind
    things: dict[str, dict[str, Thing]] = field(default_factory=dict)
    loose: dict[Key | None, dict[str, Thing]] = field(default_factory=dict)
    """Those that belong to no namespace, by the environment that their labels name."""
    version: str = ""
    current: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the copy is as new as the watch makes it."""
    trouble: Exception | None = None

    def put(self, thing: Thing) -> bool:
        """Keep an object unless a newer one is here; says whether anything of it is news that somebody looks at."""
        about = thing["metadata"]
        place = self.things.setdefault(about.get("namespace", ""), {})
        before = place.get(about["name"])
        if before and before["metadata"]["uid"] == about["uid"] and _version(before) >= _version(thing):
            return False
        self._unfile(before)
        place[about["name"]] = thing
        if not self.kind.namespaced:
            self.loose.setdefault(key_of(about.get("labels")), {})[about["name"]] = thing
        return before is None or self.kind in _TELLING or _without_status(before) != _without_status(thing)

    def drop(self, thing: Thing) -> None:
        """Forget an object, unless another has its name by now."""
        about = thing["metadata"]
        place = self.things.get(about.get("namespace", ""), {})
        before = place.get(about["name"])
        if before and before["metadata"]["uid"] == about["uid"]:
            del place[about["name"]]
            self._unfile(before)
        if not place:
            self.things.pop(about.get("namespace", ""), None)

    def clear(self) -> None:
        """Forget every object."""
        self.things, self.loose = {}, {}

    def _unfile(self, thing: Thing | None) -> None:
        if thing and not self.kind.namespaced:
            about = thing["metadata"]
            key = key_of(about.get("labels"))
            self.loose.get(key, {}).pop(about["name"], None)
            if not self.loose.get(key):
                self.loose.pop(key, None)

    def all(self) -> Iterable[Thing]:
        """Every object."""
        return (thing for place in self.things.values() for thing in place.values())


class _Inbox:
    """News for one listener: an environment that has more of it before it was heard of is heard of once."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}
        self._bell = asyncio.Event()

    def put(self, key: Key) -> None:
        self._keys[key] = None
        self._bell.set()

    async def get(self) -> Key:
        while not self._keys:
            self._bell.clear()
            await self._bell.wait()
        key = next(iter(self._keys))
        del self._keys[key]
        return key


class Mirror:
    """The copy; ``run`` keeps it until cancelled."""

    def __init__(self, api: Api, selector: str, kinds: Sequence[Kind], *, patience: float = _PATIENCE) -> None:
        self._api = api
        self._selector = selector
        self._patience = patience
        self._shelves = {kind: _Shelf(kind) for kind in kinds}
        self._buried: dict[str, None] = {}
        """The ids of what we deleted, oldest first."""
        self._listeners: set[_Inbox] = set()

    async def run(self) -> None:
        """Keep every kind up to date until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for shelf in self._shelves.values():
                    group.create_task(self._keep(shelf))
        finally:
            for shelf in self._shelves.values():
                shelf.current.clear()

    # --- looking ----------------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Wait until every kind is up to date; ``Transient`` where the API server stays away."""
        try:
            async with asyncio.timeout(self._patience):
                for shelf in self._shelves.values():
                    await shelf.current.wait()
        except TimeoutError:
            trouble = next((each.trouble for each in self._shelves.values() if each.trouble), None)
            if isinstance(trouble, Refused):
                raise Transient(trouble.message) from trouble
            raise Transient(str(trouble or f"The cluster's API at {self._api.name} does not answer.")) from trouble

    def api_server(self) -> Sequence[str]:
        """The networks of the cluster's own API: an address each."""
        endpoints = (each for found in self._shelves[SLICE].all() for each in found.get("endpoints") or ())
        addresses = {address for each in endpoints for address in each.get("addresses") or ()}
        return sorted(f"{each}/{128 if ':' in each else 32}" for each in addresses)

    def find(self, kind: Kind, namespace: str, name: str) -> Thing | None:
        """One object, where it is."""
        return self._shelves[kind].things.get(namespace, {}).get(name)

    def of(self, kind: Kind, namespace: str = "") -> Sequence[Thing]:
        """The objects of one namespace; of none, those that belong to no namespace."""
        return list(self._shelves[kind].things.get(namespace, {}).values())

    def namespaces(self, key: Key) -> Sequence[Thing]:
        """The namespaces of one environment, the newest first."""
        found = self._shelves[NAMESPACE].loose.get(key, {}).values()
        return sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp")), reverse=True)

    def living(self, key: Key) -> Sequence[Thing]:
        """Those of them that are not being deleted."""
        return [each for each in self.namespaces(key) if not is_ending(each)]

    def home(self, key: Key) -> str | None:
        """The name of the newest of those: where everything of the environment is."""
        return next((each["metadata"]["name"] for each in self.living(key)), None)

    def keys(self) -> frozenset[Key]:
        """Every environment that has anything."""
        found = (key_of(thing["metadata"].get("labels")) for shelf in self._shelves.values() for thing in shelf.all())
        return frozenset(key for key in found if key)

    async def images(self) -> frozenset[str]:
        """Every image that anything of ours runs, or may run."""
        await self.ready()
        holding = (thing for kind in _HOLDING for thing in self._shelves[kind].all())
        specs = (each["spec"]["template"]["spec"] for each in holding)
        return frozenset(container["image"] for spec in specs for container in spec["containers"])

    # --- what we did ourselves --------------------------------------------------------------------------------------

    def note(self, thing: Thing) -> None:
        """Take in what the API server answered to a write."""
        if shelf := self._shelf(thing):
            shelf.put(thing)

    def bury(self, thing: Thing) -> None:
        """Take out what we deleted, and let no late news bring it back."""
        self._buried[thing["metadata"]["uid"]] = None
        if len(self._buried) > _TOMBSTONES:
            del self._buried[next(iter(self._buried))]
        if shelf := self._shelf(thing):
            shelf.drop(thing)

    # --- news -------------------------------------------------------------------------------------------------------

    def tell(self, key: Key) -> None:
        """Tell every listener that something of an environment changed."""
        for listener in self._listeners:
            listener.put(key)

    def tell_of_all(self) -> None:
        """Tell every listener that something changed for every environment."""
        for key in self.keys():
            self.tell(key)

    async def listen(self) -> AsyncIterator[Key]:
        """Yield the keys of environments as they change."""
        inbox = _Inbox()
        self._listeners.add(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            self._listeners.discard(inbox)

    # --- keeping ----------------------------------------------------------------------------------------------------

    async def _keep(self, shelf: _Shelf) -> None:
        pause = _FIRST_PAUSE
        while True:
            began, trouble = time.monotonic(), await self._follow(shelf)
            if not trouble and time.monotonic() - began > _HEALTHY:
                pause = _FIRST_PAUSE
            if trouble and pause == _FIRST_PAUSE:
                log.warning("watch put off", kind=shelf.kind.name, why=str(trouble))
            if trouble or pause > _LATE:
                # Listed anew afterwards: only then it is sure that nothing is missing.
                shelf.current.clear()
                shelf.version, shelf.trouble = "", trouble
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _follow(self, shelf: _Shelf) -> Transient | Refused | None:
        """Take in what changes for as long as a watch lasts; gives what hinders it, if anything does."""
        try:
            if not shelf.version:
                await self._list(shelf)
            await self._watch(shelf)
        except Stale:
            shelf.version = ""
        except (Transient, Refused) as trouble:
            return trouble
        return None

    async def _list(self, shelf: _Shelf) -> None:
        namespace, selector = _ELSEWHERE.get(shelf.kind, (None, self._selector))
        listing = await self._api.list(shelf.kind, namespace, labelSelector=selector)
        before = {thing["metadata"]["uid"]: thing for thing in shelf.all()}
        shelf.clear()
        for thing in listing.things:
            if thing["metadata"]["uid"] not in self._buried:
                shelf.put(thing)
        after = {thing["metadata"]["uid"]: thing for thing in shelf.all()}
        shelf.version, shelf.trouble = listing.version, None
        shelf.current.set()
        for uid in before.keys() | after.keys():
            old, new = before.get(uid), after.get(uid)
            if old is None or new is None or _version(old) != _version(new):
                self._announce(old or new or {})

    async def _watch(self, shelf: _Shelf) -> None:
        namespace, selector = _ELSEWHERE.get(shelf.kind, (None, self._selector))
        async for change, thing in self._api.watch(shelf.kind, shelf.version, selector, namespace=namespace):
            shelf.version = thing["metadata"]["resourceVersion"]
            if change == "BOOKMARK":
                continue
            if change == "DELETED":
                shelf.drop(thing)
                self._buried.pop(thing["metadata"]["uid"], None)
            elif thing["metadata"]["uid"] in self._buried or not shelf.put(thing):
                continue
            self._announce(thing)

    def _announce(self, thing: Thing) -> None:
        about = thing.get("metadata", {})
        key = key_of(about.get("labels"))
        if thing.get("kind") == SLICE.name and key is None:
            self.tell_of_all()  # around all of them stands where the API is
        if key and not self._is_lost(key, about.get("namespace")):
            self.tell(key)

    def _is_lost(self, key: Key, namespace: str | None) -> bool:
        """Whether a namespace is ending: until it is gone, nobody looks at what is in it."""
        found = self._shelves[NAMESPACE].loose.get(key, {}).get(namespace or "")
        return found is not None and is_ending(found)

    def _shelf(self, thing: Thing) -> _Shelf | None:
        return next((shelf for kind, shelf in self._shelves.items() if kind.name == thing["kind"]), None)


def _without_status(thing: Thing) -> Thing:
    """What is left of an object when all is taken away that changes with its status alone."""
    about = {name: each for name, each in thing["metadata"].items() if name not in ("resourceVersion", "managedFields")}
    owners = [each for each in thing["metadata"].get("managedFields") or () if not each.get("subresource")]
    return {**thing, "metadata": {**about, "managedFields": owners}, "status": None}


def _version(thing: Thing) -> int:
    """Order two states of one object: resource versions are numbers that grow (Kubernetes 1.35 promises it)."""
    version = thing["metadata"].get("resourceVersion", "0")
    return int(version) if version.isdigit() else 0
