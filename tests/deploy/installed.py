"""previewbot as pods of a cluster, installed from its chart, with a simulated GitHub outside and real parts around."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from previewbot.demo.ground import cluster_ground
from previewbot.demo.machine import quiet
from previewbot.demo.stage import Stage, listening, open_shop, serving_github
from tests.cluster.state import Cluster
from tests.deploy.chart import CHART, write

_PATIENCE = "90s"
NOTHING: Mapping[str, Mapping[str, str]] = {}


class ThroughIngress(httpx.AsyncBaseTransport):
    """Takes every request to the cluster's front door, under the host that it was meant for."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._plain = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host=self._host, port=self._port)
        return await self._plain.handle_async_request(request)

    async def aclose(self) -> None:
        await self._plain.aclose()


@dataclass
class Installed:
    """A release of the chart, and the world around it."""

    cluster: Cluster
    name: str
    """Of the release, its namespace and its instance."""
    stage: Stage
    reaches: Sequence[int] = ()
    """Ports of this machine that it may reach besides those of the usual parts."""

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the release's namespace."""
        return self.cluster.kubectl("--namespace", self.name, *arguments)

    def pods(self) -> list[dict[str, Any]]:
        """The pods that are not on their way out."""
        listed = json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]
        return [each for each in listed if not each["metadata"].get("deletionTimestamp")]

    def said(self) -> str:
        """What all of them logged."""
        mine = f"app.kubernetes.io/instance={self.name}"
        return self.kubectl("logs", "--selector", mine, "--prefix", "--tail=300", "--ignore-errors")


def helm(cluster: Cluster, *arguments: str) -> str:
    """Run Helm."""
    return cluster._run([cluster.programs["helm"], "--kubeconfig", cluster.kubeconfig, *arguments])


@asynccontextmanager
async def installed(
    cluster: Cluster,
    image: str,
    folder: Path,
    more: Mapping[str, Mapping[str, str]] = NOTHING,
    *,
    reaches: Sequence[int] = (),
    **values: Any,
) -> AsyncIterator[Installed]:
    """Install the chart and wait until its pods are ready; uninstall it, and leave nothing, in the end.

    ``more`` are Secrets besides those that are always needed, ``reaches`` ports besides the usual ones. ``values`` go
    over those that a cluster of the tests needs, one level deep.
    """
    name = f"bot-{secrets.token_hex(3)}"
    transport = ThroughIngress(cluster.ingress)
    cluster.save(folder)
    with listening(cluster.outside) as listener:
        async with (
            cluster_ground(folder / "state.json") as ground,
            serving_github(folder, listener, quiet, transport) as github,
        ):
            github.state.app.hook_url = f"http://{name}.example.test/webhook"
            stage = Stage(folder, name, ground, github, await open_shop(github), 0)
            made = Installed(cluster, name, stage, reaches)
            try:
                await asyncio.to_thread(_prepare, made, more)
                await asyncio.to_thread(_install, made, image, values)
                yield made
            finally:
                await asyncio.to_thread(_uninstall, made)
                await ground.clear(name)


def _prepare(made: Installed, more: Mapping[str, Mapping[str, str]]) -> None:
    cluster, name, app = made.cluster, made.name, made.stage.github.state.app
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    trust = Path(cluster.trust)
    _secret(made, "github", {"private-key.pem": app.pem, "webhook-secret": app.secret})
    papers = {"ca.pem": "outside-ca.crt", "cert.pem": "outside-client.crt", "key.pem": "outside-client.key"}
    _secret(made, "buildkit", {key: (trust / file).read_text() for key, file in papers.items()})
    for secret, content in {"pages": {"token": "the operator's"}, **more}.items():
        _secret(made, secret, content)
    made.kubectl("create", "configmap", "authorities", f"--from-file=ca.crt={trust / 'outside-ca.crt'}")


def _install(made: Installed, image: str, values: Mapping[str, Any]) -> None:
    cluster, name = made.cluster, made.name
    said = write(_values(made, image, values), made.stage.folder)
    options = ("--namespace", name, "--values", str(said), "--wait", "--timeout", _PATIENCE)
    try:
        helm(cluster, "install", name, str(CHART), *options)
    except AssertionError as failed:
        shown = made.kubectl("get", "pods,pvc", "-o", "wide") + made.kubectl("get", "events")
        raise AssertionError(f"{failed}\n{shown}\n{made.said()}") from None


def _secret(made: Installed, name: str, content: Mapping[str, str]) -> None:
    thing = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": content}
    made.cluster.kubectl("--namespace", made.name, "create", "-f", "-", given=json.dumps(thing))


def _values(made: Installed, image: str, values: Mapping[str, Any]) -> dict[str, Any]:
    cluster, github = made.cluster, made.stage.github
    repository, _, digest = image.partition("@")
    visitors, names = [f"{cluster.outside}/32"], [f"{cluster.node}/32"]
    config = {
        "github": {"app_id": github.state.app.id, "api_url": github.base_url},
        "previews": {"scheme": "http", "port": made.stage.door, "drain": "1s"},
        "kubernetes": {
            "ingress_class": cluster.ingress_class, "ingress_networks": visitors, "dns_networks": names,
        },
        "buildkit": {"address": cluster.secure_buildkit},
        "registry": {"prefix": f"{cluster.secure_registry}/previews"},
    }  # fmt: skip
    usual: dict[str, Any] = {
        "instance": made.name,
        "image": {"repository": repository, "digest": digest},
        "config": config,
        "secrets": {"github": "github", "buildkit": "buildkit", "pages": "pages"},
        "registryCertificates": "authorities",
        "ingress": {"host": f"{made.name}.example.test", "className": cluster.ingress_class, "pages": True},
        "networkPolicy": {"fromNetworks": visitors, "dnsNetworks": names, "toPorts": [6443, *_ports(made)]},
    }
    for name, more in values.items():
        usual[name] = {**usual.get(name, {}), **more} if isinstance(more, Mapping) else more
    return usual


def _ports(made: Installed) -> list[int]:
    """Where GitHub, the registry, BuildKit and whatever more answer here."""
    cluster = made.cluster
    addresses = (made.stage.github.base_url, cluster.secure_registry, cluster.secure_buildkit)
    return [*(int(each.rstrip("/").rpartition(":")[2]) for each in addresses), *made.reaches]


def _uninstall(made: Installed) -> None:
    helm(made.cluster, "uninstall", made.name, "--namespace", made.name, "--ignore-not-found", "--wait")
    made.cluster.kubectl("delete", "namespace", made.name, "--wait=false")


@asynccontextmanager
async def relayed(host: str, target: str) -> AsyncIterator[int]:
    """Lead a port of another address of this machine to a server on its loopback."""
    to, _, port = target.partition(":")

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(to, int(port))
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, back))
            both.create_task(_copy(there, writer))

    server = await asyncio.start_server(lead, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()
