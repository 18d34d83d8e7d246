"""A town to tell stories in: a simulated GitHub, the real client, door, store and engine, and a runtime in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import httpx

from previewbot.adapters.git import GitSource
from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import LogFiles
from previewbot.core.cloud import Cloud
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Observed, Reason, Record, Repository
from previewbot.core.resources import Shelf
from previewbot.demo.github import SimulatedGitHub
from previewbot.demo.github.state import Pull
from previewbot.demo.github.state import Repository as Hosted
from previewbot.engine.bells import Bells, Doorbell
from previewbot.engine.reconcile import Reconciler
from previewbot.engine.sweep import Sweeper, survey, watch
from previewbot.engine.trouble import apologise
from previewbot.engine.turns import Turns
from previewbot.engine.worker import Work, Worker
from previewbot.engine.world import Policy, World
from previewbot.ports import Lease, Store
from previewbot.telemetry import Metrics
from previewbot.web.app import Site, create_app
from previewbot.web.pages import Pages
from previewbot.web.webhook import Door
from tests.fakes.builder import FakeBuilder
from tests.fakes.cloud import FakeCloud
from tests.fakes.front_door import FakeFrontDoor
from tests.fakes.runtime import FakeRuntime
from tests.fakes.secrets import FakeSecrets
from tests.fixtures.github import Over, Unheard
from tests.fixtures.store import new_store

BLUEPRINT = "version: 1\nservices:\n  web: {build: web, port: 8080}\n  api: {build: api, port: 9000}\n"
FILES = {"previewbot.yaml": BLUEPRINT, "web/Dockerfile": "FROM a\n", "api/Dockerfile": "FROM a\n"}


@dataclass
class MovedClock:
    """The machine's clock, moved forward by as much as a story lets pass."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class LocalSource(GitSource):
    """Real git, straight from the simulated GitHub's folders. ``fetched`` is every commit that was asked for."""

    def __init__(self, root: Path, github: SimulatedGitHub) -> None:
        async def credential(_: Repository) -> Any:
            raise AssertionError("a folder needs no token")

        super().__init__(root, credential)
        self._github = github
        self.fetched: list[str] = []

    async def fetch(self, repository: Repository, commit: str) -> None:
        self.fetched.append(commit)
        local = replace(repository, clone_url=f"file://{self._github.root}/{repository.id}.git")
        await super().fetch(local, commit)


Call = tuple[str, str, int]
"""Port, method, and which of its calls."""


class Bug(RuntimeError):  # noqa: N818 - it is none of ours
    """What nobody expects of a port."""


class Kind(StrEnum):
    """How a call fails."""

    TRANSIENT = "transient"
    REFUSED = "refused"
    BUG = "bug"

    def error(self) -> Exception:
        """Make what is raised."""
        match self:
            case Kind.TRANSIENT:
                return Transient("simulated")
            case Kind.REFUSED:
                return Refused(Reason.RUNTIME_REFUSED, "simulated")
            case Kind.BUG:
                return Bug("simulated")


@dataclass
class Weather:
    """What calls of ports were made, and which one of them fails, before or after its effect."""

    calls: list[Call] = field(default_factory=list)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    fails: Call | None = None
    after: bool = False
    kind: Kind = Kind.TRANSIENT
    struck: bool = False

    @property
    def needs_a_person(self) -> bool:
        """Whether something was refused, which nobody tries again by himself."""
        return self.struck and self.kind is Kind.REFUSED

    def over(self, name: str, port: object, methods: Collection[str]) -> Any:
        """Put this weather over some methods of a port."""
        return _Exposed(name, port, frozenset(methods), self)

    async def pass_through(self, name: str, method: str, call: Callable[[], Awaitable[object]]) -> object:
        number = self.counts.get((name, method), 0)
        self.counts[name, method] = number + 1
        here = (name, method, number)
        self.calls.append(here)
        # One that is refused has no effect after which it could fail: then the next of its kind does.
        fails = self.fails is not None and not self.struck and self.fails[:2] == here[:2] and self.fails <= here
        if fails and not self.after:
            self.struck = True
            raise self.kind.error()
        answer = await call()
        if fails:
            self.struck = True
            raise self.kind.error()
        return answer


class _Exposed:
    def __init__(self, name: str, port: object, methods: frozenset[str], weather: Weather) -> None:
        self._name, self._port, self._methods, self._weather = name, port, methods, weather

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        if method not in self._methods:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            return self._weather.pass_through(self._name, method, lambda: real(*arguments, **named))

        return call


EXPOSED: Mapping[str, Collection[str]] = {
    "hub": (
        *("repository", "pull", "permission", "comment", "deploy", "standing", "report", "react"),
        *("repositories", "open_pulls", "failed_deliveries", "redeliver"),
    ),
    "source": ("fetch", "read", "tree", "forget"),
    "builder": ("locate", "start", "cancel", "images", "discard"),
    "runtime": (
        *("observe", "prepare", "start", "run", "end_run", "tail", "remove", "remove_volumes", "delete"),
        "keys",
    ),
    "front_door": ("observe", "route", "keys"),
    "secrets": ("versions", "values", "put", "forget", "keys"),
    "cloud": ("provide", "delete", "keys"),
    "store": (
        *("load", "save", "claim", "asks", "mark", "builds", "save_build", "releases", "save_release", "use_images"),
        *("records", "add", "unused_images", "forget_images", "prune", "release_hosts", "forget", "find_log"),
    ),
}


@dataclass
class Town:
    """Everything, and what a story does with it."""

    github: SimulatedGitHub
    hosted: Hosted
    store: Store
    source: LocalSource
    builder: FakeBuilder
    runtime: FakeRuntime
    front_door: FakeFrontDoor
    secrets: FakeSecrets
    clock: MovedClock
    world: World
    policy: Policy
    weather: Weather
    metrics: Metrics
    bells: Bells
    site: Any
    """What is served, as an application."""
    turns: Turns = field(default_factory=Turns)

    @property
    def worker(self) -> Worker:
        reconciler = Reconciler(self.world, self.policy, self.bells, self.turns)

        async def reconcile(lease: Lease) -> timedelta | None:
            return await reconciler.reconcile(cast("Key", lease.topic), lease.touched_at)

        async def look_over(lease: Lease) -> None:
            found = await survey(self.world, lease.topic.repository, self.bells)
            await self.world.store.add(found, self.clock.now())
            self.bells.call_away(found)

        async def trouble(lease: Lease, error: Exception) -> None:
            if not isinstance(error, Transient | Refused | Bug):
                raise error
            await apologise(self.world, self.policy, lease, error)

        return Worker(self.store, self.clock, Work(reconcile, look_over, trouble), self.world.meter, self.turns)

    @cached_property
    def sweeper(self) -> Sweeper:
        return Sweeper(self.world, self.policy)

    def use(self, cloud: FakeCloud, account: Cloud) -> None:
        """Let the operator use a cloud."""
        exposed = self.weather.over("cloud", cloud, EXPOSED["cloud"])
        self.world = replace(self.world, cloud=exposed)
        self.policy = replace(self.policy, shelf=Shelf(cloud=account))

    async def settle(self, rounds: int = 60) -> None:
        """Let everything that is due, or will be, come to its end; time passes as fast as it can."""
        await self.github.hooks.settle()
        for _ in range(rounds):
            await self.worker.drain()
            await asyncio.sleep(0)
            due = await self.store.next_due()
            if due is None:
                return
            self.clock.ahead += max(due - self.clock.now(), timedelta(0)) + timedelta(milliseconds=1)
        raise AssertionError("the town never settles")

    async def pass_time(self, length: timedelta) -> None:
        """Let a while pass, and everything happen that is due in it."""
        await self.github.hooks.settle()
        end = self.clock.now() + length
        while True:
            await self.worker.drain()
            await asyncio.sleep(0)
            due = await self.store.next_due()
            if due is None or due > end:
                break
            self.clock.ahead += max(due - self.clock.now(), timedelta(0)) + timedelta(milliseconds=1)
        self.clock.ahead += max(end - self.clock.now(), timedelta(0))

    async def sweep(self) -> None:
        """Do one sweep and everything that follows from it."""
        await self.sweeper.sweep()
        await self.settle()

    async def look(self, path: str) -> int:
        """Look at a page; returns its status."""
        transport = httpx.ASGITransport(self.site, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://previewbot.test") as visitor:
            return (await visitor.get(path)).status_code

    async def open(self, **more: Any) -> Pull:
        """Open a pull request and let everything follow."""
        pull = await self.github.open_pull(
            self.hosted, title="A change", **{"author": "alice", "files": {"web/x": "1"}} | more
        )
        await self.settle()
        return pull

    async def push(self, pull: Pull, files: Mapping[str, str]) -> None:
        """Push, and let everything follow."""
        await self.github.push(self.hosted, pull, files)
        await self.settle()

    async def say(self, pull: Pull, login: str, body: str) -> list[str]:
        """Comment, let everything follow, and return previewbot's reactions."""
        made = self.github.comment(self.hosted, pull, login, body)
        await self.settle()
        return [each.content for each in made.reactions]

    def key(self, pull: Pull) -> Key:
        return Key(self.hosted.id, pull.number)

    async def record(self, pull: Pull) -> Record:
        return await self.store.load(self.key(pull))

    async def observed(self, pull: Pull) -> Observed:
        return replace(await self.runtime.observe(self.key(pull)), routes=await self.front_door.observe(self.key(pull)))

    def comments(self, pull: Pull) -> list[str]:
        """The texts of previewbot's comments, without answers to commands."""
        return [each.body for each in pull.comments if "<!-- previewbot:pr-" in each.body]

    def comment(self, pull: Pull) -> str:
        """The one comment."""
        (only,) = self.comments(pull)
        return only

    def deployment(self, sha: str) -> str:
        """The state of the commit's one deployment."""
        (only,) = [each for each in self.hosted.deployments if each.sha == sha]
        return only.statuses[-1].state


@asynccontextmanager
async def town(
    folder: Path, weather: Weather | None = None, policy: Policy | None = None, over: Over | None = None
) -> AsyncIterator[Town]:
    """Build a town in a folder; ``over`` is put around the simulated GitHub."""
    weather, clock, over = weather or Weather(), MovedClock(), over or Unheard()
    gate = _Gate()
    github = SimulatedGitHub(folder / "github", transport=httpx.ASGITransport(over.door(gate)), clock=clock.now)
    github.state.app.hook_url = "http://previewbot.test/webhook"
    app = github.state.app
    hub = GitHubHub(
        AppCredentials(app.id, app.pem, "http://github.test"),
        clock=clock,
        transport=httpx.ASGITransport(over.api(github.app)),
    )
    source = LocalSource(folder / "source", github)
    builder, runtime, front_door, logs = FakeBuilder(clock), FakeRuntime(), FakeFrontDoor(), LogFiles(folder)
    secrets = FakeSecrets()
    async with new_store(folder / "previewbot.db") as store:
        parts = {
            "hub": hub,
            "source": source,
            "builder": builder,
            "runtime": runtime,
            "front_door": front_door,
            "store": store,
            "secrets": secrets,
        }
        exposed = {name: weather.over(name, part, EXPOSED[name]) for name, part in parts.items()}
        metrics = Metrics()
        world = World(**exposed, logs=logs, clock=clock, meter=metrics)

        async def nothing() -> None:
            return None

        async def measure() -> None:
            await metrics.measure(store, hub, clock.now())

        bells = Bells()
        door = Door(Doorbell(store, bells), clock, (app.secret.encode(),), metrics)
        gate.app = create_app(
            Site(door, Pages(exposed["store"], logs, clock, lambda _: None), metrics, nothing, measure)
        )
        hosted = await github.create_repository("acme/shop", FILES)
        github.allow(hosted, "alice", "write")
        github.allow(hosted, "bob", "read")
        watching = asyncio.create_task(watch(world, bells))
        try:
            yield Town(
                github,
                hosted,
                store,
                source,
                builder,
                runtime,
                front_door,
                secrets,
                clock,
                world,
                policy or Policy(stay=timedelta(milliseconds=20)),
                weather,
                metrics,
                bells,
                gate,
            )
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await github.hooks.aclose()
            await hub.aclose()


class _Gate:
    """Where deliveries go: known only once the door stands."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
