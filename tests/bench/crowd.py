"""A crowd of pull requests, previewbot's own engine and adapters on a cluster, and everything else in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import aiohttp

from previewbot.adapters.kubernetes import (
    Api,
    KubernetesFrontDoor,
    KubernetesRuntime,
    Mirror,
    Names,
    Options,
    connect,
    watched,
)
from previewbot.adapters.kubernetes.connection import Connection, Request
from previewbot.adapters.local import LogFiles, SystemClock
from previewbot.adapters.store import open_store
from previewbot.core.ids import Key
from previewbot.core.model import Permission, Person, PullRequest, Repository
from previewbot.engine.bells import Bells
from previewbot.engine.reconcile import Reconciler
from previewbot.engine.sweep import watch
from previewbot.engine.turns import Turns
from previewbot.engine.worker import Work, Worker
from previewbot.engine.world import Policy, World
from previewbot.ports import Allowance, DeploymentState, FailedDelivery, Hub, Lease, PullSummary, Reaction, Store
from previewbot.telemetry import Metrics
from tests.fakes.builder import FakeBuilder
from tests.fakes.secrets import FakeSecrets
from tests.fakes.source import FakeSource

BLUEPRINT = b"version: 1\nservices:\n  web: {build: web, port: 8080}\n  api: {build: api, port: 9000}\n"
_PLURALS = {each.plural for each in watched(Options())}
_REPOSITORY = Repository(7, "acme/shop", 1, "https://github.test/acme/shop.git")


class Counted(Connection):
    """The real connection, which also counts what is asked: method and kind, watches apart."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection._client, connection.name)
        self.calls: Counter[str] = Counter()

    async def open(self, request: Request) -> aiohttp.ClientResponse:
        self.calls["watch" if "watch" in request.query else f"{request.method} {_plural(request.path)}"] += 1
        return await super().open(request)

    @property
    def asked(self) -> int:
        """Requests so far, without the watches, which are the same few however many environments there are."""
        return self.calls.total() - self.calls["watch"]


def _plural(path: str) -> str:
    """What a path is about: the innermost kind that it names."""
    return next((each for each in reversed(path.split("/")) if each in _PLURALS), path)


class Pulls:
    """A ``ports.Hub`` with so many pull requests, all of them open or all of them closed."""

    def __init__(self, source: FakeSource, count: int) -> None:
        self.commits = {
            Key(_REPOSITORY.id, number): source.push(_REPOSITORY, _tree(number)) for number in range(1, count + 1)
        }
        self.are_open = True
        self.deployed: Counter[DeploymentState] = Counter()
        """How many deployments were reported to be in each state."""

    def allowance(self) -> Allowance:
        return Allowance(None, 500)

    async def repository(self, id: int) -> Repository | None:
        return _REPOSITORY

    async def repositories(self) -> Sequence[Repository]:
        return [_REPOSITORY]

    async def pull(self, repository: Repository, number: int) -> PullRequest | None:
        key = Key(repository.id, number)
        return PullRequest(
            key=key,
            repository=repository,
            title="A change",
            author=Person("alice"),
            is_open=self.are_open,
            is_merged=False,
            is_draft=False,
            labels=frozenset(),
            base_branch="main",
            head_branch=f"change-{number}",
            head_commit=self.commits[key],
            head_repository=repository.id,
        )

    async def open_pulls(self, repository: Repository) -> Sequence[PullSummary]:
        return [PullSummary(*each) for each in self.commits.items()] if self.are_open else []

    async def permission(self, repository: Repository, login: str) -> Permission:
        return Permission.WRITE

    async def changed_paths(self, pull: PullRequest) -> Sequence[str]:
        return ["web/x"]

    async def comment(self, pull: PullRequest, marker: str, body: str, *, known: int | None, final: bool) -> int | None:
        return pull.key.number

    async def deploy(self, pull: PullRequest, *, environment: str) -> int:
        return pull.key.number

    async def standing(self, pull: PullRequest, *, environment: str) -> Sequence[int]:
        return []

    async def report(
        self, repository: Repository, deployment: int, state: DeploymentState, *, url: str | None, log_url: str | None
    ) -> None:
        self.deployed[state] += 1

    async def react(self, repository: Repository, comment: int, reaction: Reaction) -> None:
        return None

    async def failed_deliveries(self, since: datetime) -> Sequence[FailedDelivery]:
        return []

    async def redeliver(self, delivery: FailedDelivery) -> None:
        return None


def _tree(number: int) -> Mapping[str, bytes]:
    """Every pull request changes both services, so that nothing is reused."""
    files = {f"{service}/x": f"{service} {number}".encode() for service in ("web", "api")}
    return {"previewbot.yaml": BLUEPRINT, "web/Dockerfile": b"FROM a\n", "api/Dockerfile": b"FROM a\n", **files}


@dataclass
class Crowd:
    """Everything, and how far it is."""

    counted: Counted
    mirror: Mirror
    pulls: Pulls
    world: World
    store: Store
    passes: Counter[Key] = field(default_factory=Counter)
    """How many passes over each environment are over."""

    async def touch(self) -> None:
        """Make every environment due, as deliveries do."""
        await self.store.add(list(self.pulls.commits), self.world.clock.now())


@asynccontextmanager
async def crowd(kubeconfig: Path, folder: Path, count: int) -> AsyncIterator[Crowd]:
    """Have previewbot work on a cluster for so many pull requests; what it made there is left to the cluster's end."""
    options, clock, bells, turns = Options(), SystemClock(), Bells(), Turns()
    names, source = Names(f"crowd-{count}"), FakeSource()
    counted = Counted((await connect(kubeconfig)).connection)
    api = Api(counted)
    mirror, pulls = Mirror(api, names.selector, watched(options)), Pulls(source, count)

    async def user_of(_reference: str) -> int | None:
        return None

    runtime = KubernetesRuntime(api, mirror, names=names, options=options, user_of=user_of, clock=clock)
    front_door = KubernetesFrontDoor(api, mirror, names=names, options=options)
    async with open_store(f"sqlite:///{folder / 'previewbot.db'}") as store:
        hub: Hub = pulls
        builder, logs = FakeBuilder(clock), LogFiles(folder)
        parts = (hub, source, builder, runtime, front_door, store, logs, clock, Metrics(), FakeSecrets())
        world = World(*parts)
        made = Crowd(counted, mirror, pulls, world, store)
        reconciler = Reconciler(world, Policy(), bells, turns)

        async def reconcile(lease: Lease) -> timedelta | None:
            key = cast("Key", lease.topic)
            again = await reconciler.reconcile(key, lease.touched_at)
            made.passes[key] += 1
            return again

        async def nothing(*_: object) -> None:
            return None

        worker = Worker(store, clock, Work(reconcile, nothing, nothing), world.meter, turns)
        work = [asyncio.create_task(each) for each in (mirror.run(), worker.run(), watch(world, bells))]
        try:
            await mirror.ready()
            yield made
        finally:
            for each in work:
                each.cancel()
            await asyncio.wait(work)
            runtime.close()
            await api.close()
