"""Whom a preview reaches, and who reaches it, tried from inside: on a cluster that enforces what the namespace says."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.kubernetes import Network
from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Observed, ServiceSpec
from tests.cluster import box as boxes
from tests.cluster.box import Box, entered
from tests.cluster.images import BASE
from tests.cluster.state import Cluster
from tests.fixtures.engine import SERVE, release, service
from tests.fixtures.kubernetes import OPTIONS, Rig, rig

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PUBLIC = "203.0.113.10"
"""An address of the internet, as far as this cluster goes."""
METADATA = "169.254.169.254"
PRIVATE = ("172.16.9.9", "192.168.9.9", "100.64.9.9", "198.18.9.9")
PORT = 8099
_numbers = count(1)
_DIGESTS = {"base": BASE}
_REFUSED = "No route to host"
"""What a program is told whose packet a rule refuses; "Connection refused" is what it hears where nobody listens."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A pod to try from, and where it is reached itself."""

    cluster: Cluster
    namespace: str
    pod: str
    addresses: tuple[str, ...] = ()
    """The pod's own one, and its service's."""

    def hears(self, address: str, port: int = 8080) -> str:
        """Ask for a page over there: ``answered``, ``refused`` by a rule, or the complaint."""
        asked = ("timeout", "5", "wget", "-qO-", f"http://{address}:{port}/hostname")
        try:
            self.cluster.kubectl("--namespace", self.namespace, "exec", self.pod, "--", *asked)
        except AssertionError as error:
            said = str(error)
            # The API server answers those who do not encrypt that they should.
            return "answered" if "400 Bad Request" in said else "refused" if _REFUSED in said else said
        return "answered"


@pytest.fixture
def outside(cluster: Cluster) -> Iterator[None]:
    """Addresses of the world around the cluster, at each of which somebody answers."""
    if not cluster.processes:
        pytest.skip("the network of somebody's own cluster is not ours to add addresses to")
    first = boxes.first_process(Box(cluster.number))
    assert first
    inside = entered(first, "net")
    addresses = [f"{each}/32" for each in (PUBLIC, METADATA, *PRIVATE)]
    server = subprocess.Popen([*inside, cluster.programs["busybox"], "httpd", "-f", "-p", str(PORT), "-h", "/etc"])
    try:
        for each in addresses:
            subprocess.run([*inside, "ip", "addr", "add", each, "dev", "lo"], check=True)
        yield
    finally:
        for each in addresses:
            subprocess.run([*inside, "ip", "addr", "del", each, "dev", "lo"], check=False)
        server.kill()
        server.wait()


@pytest.fixture
async def fenced(cluster: Cluster, instance: str) -> AsyncIterator[Rig]:
    """The adapters, told where visitors and names come from in this cluster."""
    network = Network(ingress_cidrs=(f"{cluster.outside}/32",), dns_cidrs=(f"{cluster.node}/32",))
    async with rig(Path(cluster.kubeconfig), instance, replace(OPTIONS, network=network)) as made:
        yield made


@pytest.fixture
def stranger(cluster: Cluster, instance: str) -> Iterator[Spot]:
    """A pod of a namespace without policies."""
    cluster.kubectl("create", "namespace", instance)
    try:
        cluster.kubectl("--namespace", instance, "run", "web", f"--image={BASE}", "--", *SERVE)
        cluster.kubectl("--namespace", instance, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
        pod = json.loads(cluster.kubectl("--namespace", instance, "get", "pod", "web", "-o", "json"))
        yield Spot(cluster, instance, "web", (pod["status"]["podIP"],))
    finally:
        cluster.kubectl("delete", "namespace", instance, "--wait=false")


def _runs(seen: Observed) -> bool:
    found = seen.release("r1")
    return bool(found and all(each.state is InstanceState.READY for each in found.instances))


async def _preview(made: Rig, cluster: Cluster, *services: ServiceSpec) -> tuple[Key, dict[str, Spot]]:
    """Start a preview; gives a spot in each of its services."""
    key = Key(7, next(_numbers))
    await made.runtime.start(release(key, "r1", *services), _DIGESTS)
    await made.until(_runs, key, seconds=90)
    namespace = await made.namespace(key)
    read = ("--namespace", namespace, "get", "pods,services", "-o", "json")
    things = json.loads(await asyncio.to_thread(cluster.kubectl, *read))["items"]
    return key, {each.name: _spot(cluster, namespace, each.name, things) for each in services}


def _spot(cluster: Cluster, namespace: str, name: str, things: list[dict[str, Any]]) -> Spot:
    mine = [each for each in things if each["metadata"]["labels"].get("previewbot.dev/service") == name]
    (pod,) = [each for each in mine if each["kind"] == "Pod"]
    services = [each["spec"]["clusterIP"] for each in mine if each["kind"] == "Service"]
    return Spot(cluster, namespace, pod["metadata"]["name"], (pod["status"]["podIP"], *services))


async def _heard(spot: Spot, *tries: tuple[str, int]) -> dict[tuple[str, int], str]:
    done = await asyncio.gather(*(asyncio.to_thread(spot.hears, *each) for each in tries))
    return dict(zip(tries, done, strict=True))


WEB, DB = service("web", SERVE, 8080), service("db", SERVE, 8080)


@pytest.mark.usefixtures("outside")
async def test_a_preview_reaches_itself_and_the_internet_and_nothing_else(
    cluster: Cluster, fenced: Rig, stranger: Spot
) -> None:
    (_, mine), (_, other) = await asyncio.gather(_preview(fenced, cluster, WEB, DB), _preview(fenced, cluster, WEB))
    open_ = [(each, 8080) for each in ("db", *mine["db"].addresses, *mine["web"].addresses)] + [(PUBLIC, PORT)]
    foreign = [(each, 8080) for each in other["web"].addresses]
    barred = [
        *((each, 8080) for each in stranger.addresses),
        *((each, PORT) for each in (METADATA, *PRIVATE, cluster.node)),
        (cluster.node, 6443),
        (_api(cluster), 443),
    ]
    assert await _heard(mine["web"], *open_) == dict.fromkeys(open_, "answered")
    assert await _heard(mine["web"], *foreign, *barred) == dict.fromkeys([*foreign, *barred], "refused")
    assert await _heard(other["web"], *foreign) == dict.fromkeys(foreign, "answered"), "it is there"
    assert await _heard(stranger, *barred) == dict.fromkeys(barred, "answered"), "they are there"


async def test_nobody_but_the_ingress_controller_comes_in(cluster: Cluster, fenced: Rig, stranger: Spot) -> None:
    key, mine = await _preview(fenced, cluster, WEB)
    inside = [(each, 8080) for each in mine["web"].addresses]
    assert await _heard(stranger, *inside) == dict.fromkeys(inside, "refused")
    host = f"{fenced.names.instance}.example.test"
    await fenced.front_door.route(key, {host: ("web-r1:8080",)})
    async with asyncio.timeout(20):
        while await asyncio.to_thread(_visit, cluster, host) != 200:
            await asyncio.sleep(0.05)


async def test_a_programs_first_word_is_refused_already(cluster: Cluster, fenced: Rig, stranger: Spot) -> None:
    _, other = await _preview(fenced, cluster, DB)
    tries = (*other["db"].addresses, *stranger.addresses)
    script = "; ".join(f"timeout 5 wget -qO- http://{each}:8080/hostname" for each in tries)
    talkers = [service(f"talker{each}", ("sh", "-c", f"{script}; exec sleep 1000")) for each in range(5)]
    key, _ = await _preview(fenced, cluster, *talkers)
    for each in talkers:
        async with asyncio.timeout(20):
            while len(said := await fenced.runtime.tail(key, "r1", each.name, lines=9)) < len(tries):
                await asyncio.sleep(0.2)
        assert all(_REFUSED in line for line in said), said


def _api(cluster: Cluster) -> str:
    """The API server's address as a service."""
    return cluster.kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")


def _visit(cluster: Cluster, host: str) -> int:
    with closing(http.client.HTTPConnection(cluster.ingress, timeout=5)) as connection:
        connection.request("GET", "/hostname", headers={"Host": host})
        return connection.getresponse().status
