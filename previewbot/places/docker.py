"""One machine: a Docker-compatible engine builds and runs, Caddy leads visitors in."""

from __future__ import annotations

from contextlib import AsyncExitStack

from previewbot.adapters.caddy import Caddy, RouteTable
from previewbot.adapters.docker import DockerBuilder, DockerRuntime, Limits, connect
from previewbot.places.place import Place, Tools
from previewbot.settings import Settings


def open_place(settings: Settings, tools: Tools, stack: AsyncExitStack) -> Place:
    """Open it; ``stack`` closes it."""
    engine = connect(settings.docker.host)
    builder = DockerBuilder(
        engine,
        instance=settings.instance_name,
        source=tools.source,
        logs=tools.logs,
        clock=tools.clock,
        at_once=settings.docker.builds_at_once,
        time_limit=settings.docker.build_time_limit,
    )
    stack.push_async_callback(builder.close)
    table = RouteTable(settings.storage.folder.absolute() / "routes.json")
    caddy = Caddy(
        settings.caddy.admin,
        table=table,
        listen=tuple(settings.caddy.listen),
        ask=f"{_reachable(settings.server.host)}:{settings.server.port}",
        proxies=tuple(map(str, settings.caddy.proxies)),
    )
    stack.push_async_callback(caddy.aclose)
    runtime = DockerRuntime(engine, instance=settings.instance_name, limits=limits_of(settings))
    return Place(builder, runtime, caddy, table.find)


def limits_of(settings: Settings) -> Limits:
    """Read what the operator lets a container use from the configuration."""
    return Limits(memory=settings.docker.memory, cpus=settings.docker.cpus, pids=settings.docker.pids)


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104
