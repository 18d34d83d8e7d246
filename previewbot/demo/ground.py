"""Where the demo's environments run: an engine with Caddy before it, or a cluster that is up already."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import docker

from previewbot.adapters.kubernetes import Api, Names, connect
from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, NAMESPACE, POD
from previewbot.demo import leftovers, machine
from previewbot.demo.base_image import NAME, import_base
from previewbot.demo.given import build_base, given, is_plain

Say = Callable[[str], None]


class Ground(Protocol):
    """What a stage needs to know of it."""

    @property
    def door(self) -> int:
        """The port on loopback at which visitors come in."""

    @property
    def base(self) -> str:
        """The image that the sample app's images start from."""

    def config(self) -> str:
        """The part of previewbot's configuration that is about it, as lines of YAML."""

    def note(self, folder: Path, instance: str) -> None:
        """Write down what a killed demo would leave there."""

    async def things(self, instance: str) -> Mapping[str, int]:
        """Count what is there of a previewbot's environments."""

    async def clear(self, instance: str) -> None:
        """Take everything of a previewbot away: an interrupted demo has open pull requests."""


@dataclass
class EngineGround:
    """A Docker-compatible engine, and a Caddy of the demo's own."""

    engine: str
    caddy: str
    door: int
    base: str = NAME

    def config(self) -> str:
        """See ``Ground.config``."""
        listen = f'listen: ["127.0.0.1:{self.door}"]'
        return f'docker: {{host: "{self.engine}"}}\ncaddy: {{admin: "{self.caddy}", {listen}}}\n'

    def note(self, folder: Path, instance: str) -> None:
        """See ``Ground.note``."""
        leftovers.note_things(folder, self.engine, instance)

    async def things(self, instance: str) -> Mapping[str, int]:
        """See ``Ground.things``."""
        return await asyncio.to_thread(self._count, {"label": [f"previewbot.instance={instance}", "previewbot.key"]})

    async def clear(self, instance: str) -> None:
        """See ``Ground.clear``."""
        await asyncio.to_thread(self._clear, {"label": f"previewbot.instance={instance}"})

    def client(self) -> docker.APIClient:
        """A client of the engine, to look with."""
        return docker.APIClient(self.engine, version="auto", timeout=30)

    def _count(self, mine: dict[str, Any]) -> Mapping[str, int]:
        client = self.client()
        try:
            return {
                "containers": len(client.containers(all=True, filters=mine)),
                "networks": len(client.networks(filters=mine)),
                "volumes": len(client.volumes(filters=mine)["Volumes"] or []),
            }
        finally:
            client.close()

    def _clear(self, mine: dict[str, Any]) -> None:
        client = self.client()
        try:
            for container in client.containers(all=True, filters=mine):
                client.remove_container(container["Id"], force=True, v=True)
            for network in client.networks(filters=mine):
                client.remove_network(network["Id"])
            for volume in client.volumes(filters=mine)["Volumes"] or []:
                client.remove_volume(volume["Name"])
            for image in client.images(filters=mine):
                client.remove_image(image["Id"], force=True)
        finally:
            client.close()


@dataclass
class ClusterGround:
    """A cluster, with a registry and BuildKit, as ``make cluster`` leaves it, or as it is given."""

    state: Mapping[str, Any]
    api: Api
    base: str = NAME

    @property
    def door(self) -> int:
        """See ``Ground.door``."""
        return int(str(self.state["ingress"]).rpartition(":")[2])

    def config(self) -> str:
        """See ``Ground.config``."""
        state = self.state
        parts = {
            "runtime": "kubernetes",
            "kubernetes": {
                "kubeconfig": state["kubeconfig"],
                "ingress_class": state["ingress_class"],
                "ingress_networks": _where(state, "outside"),
                "dns_networks": _where(state, "node"),
            },
            "buildkit": {"address": state["buildkit"], "buildctl": state["programs"]["buildctl"]},
            "registry": {"prefix": f"{state['registry']}/previews", "plain_http": is_plain(state)},
        }
        return "".join(f"{name}: {json.dumps(value)}\n" for name, value in parts.items())

    def note(self, folder: Path, instance: str) -> None:
        """See ``Ground.note``: everything goes down with the cluster."""

    async def things(self, instance: str) -> Mapping[str, int]:
        """See ``Ground.things``."""
        mine = Names(instance).selector
        listed = {kind: await self.api.list(kind, labelSelector=mine) for kind in (NAMESPACE, DEPLOYMENT, POD)}
        return {kind.plural: len(listing.things) for kind, listing in listed.items()}

    async def clear(self, instance: str) -> None:
        """See ``Ground.clear``."""
        for namespace in (await self.api.list(NAMESPACE, labelSelector=Names(instance).selector)).things:
            await self.api.delete(namespace)


@asynccontextmanager
async def engine_ground(folder: Path, say: Say, door: Callable[[], int]) -> AsyncIterator[Ground]:
    """Find, start or install an engine, start a Caddy, and put the base image in."""
    async with machine.engine(folder / "engine", say) as engine, machine.caddy(folder / "caddy", say) as caddy:
        say("Making the base image from this machine's busybox")
        await machine.install("busybox-static", say=say)
        await asyncio.to_thread(import_base, engine)
        yield EngineGround(engine, caddy, door())


@asynccontextmanager
async def cluster_ground(file: Path, say: Say = machine.quiet) -> AsyncIterator[Ground]:
    """Use the cluster that a ``state.json`` of ``make cluster`` tells of, or a kubeconfig and variables."""
    state = await asyncio.to_thread(_read, file)
    base = NAME
    if state is None:
        state = given(file)
        say(f"Making the base image in the registry at {state['registry']}")
        await machine.install("busybox-static", say=say)
        base = await asyncio.to_thread(build_base, state)
    api = await connect(Path(state["kubeconfig"]))
    try:
        yield ClusterGround(state, api, base)
    finally:
        await api.close()


def _where(state: Mapping[str, Any], name: str) -> list[str]:
    """One address where the state tells it: a network may have other previews in it."""
    found = f"{state[name]}/32" if state.get(name) else state["network"]
    return [found] if found else []


def _read(file: Path) -> Mapping[str, Any] | None:
    """Read a ``state.json``, or the one beside a kubeconfig; ``None`` where there is none."""
    found = file if file.suffix == ".json" else file.with_name("state.json")
    try:
        state: Mapping[str, Any] = json.loads(found.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return state
