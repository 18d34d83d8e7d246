"""The wiring: settings to adapters, adapters to engine and web. It knows everything and decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from previewbot.adapters.aws import Account, AwsCloud, Rules
from previewbot.adapters.git import GitSource
from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import LogFiles, SystemClock
from previewbot.adapters.secrets import LocalSecrets, ManagedSecrets, ParameterSecrets, make_key, read_key
from previewbot.adapters.store import migrate_apart, open_store
from previewbot.core.blueprint import Filters
from previewbot.core.cloud import Cloud
from previewbot.core.desire import Address
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Size
from previewbot.core.resources import Shelf
from previewbot.engine.bells import Bells, Doorbell
from previewbot.engine.clockwork import Clockwork
from previewbot.engine.reconcile import Reconciler
from previewbot.engine.runs import Runs
from previewbot.engine.sweep import Sweeper, survey, watch
from previewbot.engine.trouble import apologise
from previewbot.engine.turns import Turns
from previewbot.engine.worker import Work, Worker
from previewbot.engine.world import Policy, World
from previewbot.places import Place, Tools, open_place
from previewbot.ports import Lease, Secrets
from previewbot.settings import SECRETS_KEY, Faulty, Settings, read_secret
from previewbot.telemetry import Metrics
from previewbot.web.app import Site
from previewbot.web.pages import Pages
from previewbot.web.server import Server
from previewbot.web.webhook import Door

log = structlog.get_logger(__name__)


def policy_of(settings: Settings) -> Policy:
    """Read the operator's rules from the configuration."""
    previews = settings.previews
    return Policy(
        address=Address(previews.domain, previews.port, previews.scheme),
        base_url=settings.server.public_url.rstrip("/"),
        apps=frozenset(previews.apps),
        filters=Filters(
            drafts=previews.drafts,
            label=previews.label,
            label_required=previews.label_required,
            exclude_label=previews.exclude_label,
            branches=tuple(previews.branches),
            paths=tuple(previews.paths),
        ),
        drain=previews.drain,
        owners=dict(settings.secrets.repositories),
        shelf=Shelf(
            dict(settings.resources.images),
            {name: Size(each.cpu, each.memory) for name, each in settings.sizes.items()},
            cloud_of(settings),
        ),
        keep_images=settings.storage.keep_images,
        keep_history=settings.storage.keep_history,
    )


def cloud_of(settings: Settings) -> Cloud | None:
    """What the configuration says of AWS."""
    aws, types = settings.aws, frozenset(settings.resources.aws)
    if not (aws.account and aws.region):
        return None
    return Cloud(aws.account, aws.region, aws.prefix, settings.instance_name, types, aws.endpoint_url)


def hub_of(settings: Settings) -> GitHubHub:
    """Make the client of GitHub; reads the App's private key."""
    key = read_secret(settings.github.private_key_file).decode("ascii", "replace")
    return GitHubHub(AppCredentials(settings.github.app_id, key, settings.github.api_url), clock=SystemClock())


@dataclass(frozen=True, slots=True)
class Previewbot:
    """Everything, wired."""

    settings: Settings
    world: World
    policy: Policy
    metrics: Metrics
    place: Place
    logs: LogFiles
    bells: Bells = field(default_factory=Bells)
    """How everything in this process reaches the passes that are under way."""


@asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[Previewbot]:
    """Open everything that previewbot works with, and close it again. Raises ``Faulty``, ``Refused``, ``Transient``."""
    folder = settings.storage.folder.absolute()
    for part in (folder, folder / "logs", folder / "source"):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock, logs = SystemClock(), LogFiles(folder / "logs")
    async with AsyncExitStack() as stack:
        hub = hub_of(settings)
        stack.push_async_callback(hub.aclose)
        await migrate_apart(settings.database_url)
        store = await stack.enter_async_context(open_store(settings.database_url))
        source = GitSource(folder / "source", hub.credential)
        place = await stack.enter_async_context(open_place(settings, Tools(source, logs, clock)))
        metrics = Metrics()
        secrets = open_secrets(settings)
        parts = (hub, source, place.builder, place.runtime, place.front_door, store, logs, clock, metrics, secrets)
        world = World(*parts, open_cloud(settings))
        yield Previewbot(settings, world, policy_of(settings), metrics, place, logs)


def open_cloud(settings: Settings) -> AwsCloud | None:
    """Make the client of AWS, where the configuration knows one; it asks nothing yet."""
    cloud = cloud_of(settings)
    if cloud is None:
        return None
    rules = Rules(settings.aws.kms_key, settings.aws.permissions_boundary)
    return AwsCloud(Account(cloud.region, cloud.endpoint_url), cloud, rules)


def open_secrets(settings: Settings) -> Secrets:
    """Open the store of the apps' secrets. Raises ``Faulty``."""
    aws, store = settings.aws, settings.secrets_store
    if store == "local" or aws.region is None:
        return _local_secrets(settings)
    of = ParameterSecrets if store == "aws-ssm" else ManagedSecrets
    return of(Account(aws.region, aws.endpoint_url), aws.prefix, settings.instance_name, kms_key=aws.kms_key)


def _local_secrets(settings: Settings) -> LocalSecrets:
    """Open those of this machine, and make their key where nobody named or gave one."""
    folder = settings.storage.folder.absolute()
    place: Path | str = SECRETS_KEY
    text = settings.secrets_key
    if text is None:
        place = settings.secrets.key_file or folder / "secrets.key"
        if settings.secrets.key_file is None:
            make_key(place)
        text = read_secret(place).decode("ascii", "replace")
    try:
        return LocalSecrets(folder / "secrets.json", read_key(text))
    except ValueError as error:
        raise Faulty((f"{place}: {error}",)) from None


def worker_of(bot: Previewbot) -> Worker:
    """Make the worker that drives every environment."""
    turns = Turns(bot.settings.worker.at_once)
    reconciler = Reconciler(bot.world, bot.policy, bot.bells, turns)

    async def reconcile(lease: Lease) -> timedelta | None:
        assert isinstance(lease.topic, Key)  # noqa: S101 - the worker's match says so
        return await reconciler.reconcile(lease.topic, lease.touched_at)

    async def look_over(lease: Lease) -> None:
        found = await survey(bot.world, lease.topic.repository, bot.bells)
        await bot.world.store.add(found, bot.world.clock.now())
        bot.bells.call_away(found)

    async def trouble(lease: Lease, error: Exception) -> None:
        await apologise(bot.world, bot.policy, lease, error)

    work = Work(reconcile, look_over, trouble)
    return Worker(bot.world.store, bot.world.clock, work, bot.metrics, turns)


def site_of(bot: Previewbot) -> Site:
    """Make what is served."""
    settings, world = bot.settings, bot.world
    token = read_secret(settings.server.pages_token_file) if settings.server.pages_token_file else None
    secrets = tuple(read_secret(each) for each in settings.github.webhook_secret_files)

    async def ready() -> str | None:
        try:
            await world.store.check()
        except Transient as transient:
            return str(transient)
        return None

    async def measure() -> None:
        with contextlib.suppress(Transient):  # /readyz says that the database is away
            await bot.metrics.measure(world.store, world.hub, world.clock.now())

    door = Door(Doorbell(world.store, bot.bells), world.clock, secrets, bot.metrics)
    pages = Pages(world.store, world.logs, world.clock, bot.place.find, token, ran=Runs(world))
    return Site(door, pages, bot.metrics, ready, measure)


_TURN = 0.0005
"""Seconds of Python that a thread may keep from the event loop: the usual 5 ms are half of what a look takes."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run the whole process on uvloop where there is one: the door takes twice as many deliveries on it."""
    sys.setswitchinterval(_TURN)
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not on every platform

        uvloop.run(work)
        return
    asyncio.run(work)


async def serve(settings: Settings) -> None:
    """Run everything until a signal says otherwise: door, pages, worker, sweep and watch in one process."""
    async with assemble(settings) as bot:
        server = Server(site_of(bot), host=settings.server.host, port=settings.server.port)
        sweeper = Sweeper(bot.world, bot.policy, every=settings.worker.sweep_every, prune_logs=bot.logs.prune)
        clockwork = Clockwork(bot.world)
        work = [
            asyncio.create_task(each)
            for each in (worker_of(bot).run(), sweeper.run(), watch(bot.world, bot.bells), clockwork.run())
        ]
        work.append(asyncio.create_task(_tell_lacks(bot.place)))
        for each in (*work, *bot.place.chores):
            each.add_done_callback(lambda task: _end(server, task))
        log.info("serving", url=settings.server.public_url, instance=settings.instance_name)
        try:
            await server.serve()
        finally:
            for each in work:
                each.cancel()
            done = await asyncio.gather(*work, return_exceptions=True)
        log.info("stopped")
        failures = [*done, *(each.exception() for each in bot.place.chores if each.done() and not each.cancelled())]
        for failed in failures:
            if isinstance(failed, Exception):
                raise failed


async def _tell_lacks(place: Place) -> None:
    """Tell the operator once what will fail, before it does; what cannot be asked now will be told when it fails."""
    with contextlib.suppress(Transient, Refused):
        for each in await place.lacks():
            log.warning("place lacks something", what=each)


def _end(server: Server, task: asyncio.Task[None]) -> None:
    """A process whose worker died must not go on accepting deliveries: it ends, and whoever runs it starts it anew."""
    if not task.cancelled() and task.exception():
        log.error("worker died", exc_info=task.exception())
        server.should_exit = True
