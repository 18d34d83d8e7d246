"""The way into a pod, on a real cluster: with the rights of the chart, to BuildKit and to nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from previewbot.adapters.buildkit import Kit
from previewbot.adapters.kubernetes import Api, Inside, Tunnel, connect
from previewbot.core.errors import Refused, Transient
from tests.cluster.state import Cluster
from tests.fixtures.buildkit_pod import POD, BuildKitPod

pytestmark = pytest.mark.cluster

_CHART = Path("deploy/helm/previewbot")
_HOME = "previewbot-tunnel"
_DIAL = ("buildctl", "dial-stdio")


@pytest.fixture(scope="module")
def account(cluster: Cluster, buildkit_pod: BuildKitPod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig of the account that the chart makes where BuildKit is a pod."""
    folder = tmp_path_factory.mktemp("tunnel")
    values = {"instance": "tunnel", "accountOnly": True, "config": {"buildkit": {"address": buildkit_pod.address}}}
    (folder / "values.yaml").write_text(json.dumps(values))
    helm = [cluster.programs["helm"], "template", "tunnel", str(_CHART), "--kube-version", "1.34.4"]
    made = cluster._run([*helm, "--namespace", _HOME, "--values", str(folder / "values.yaml")])
    cluster.kubectl("create", "namespace", _HOME)
    try:
        cluster.kubectl("apply", "--server-side", "-f", "-", given=made)
        token = cluster.kubectl("create", "token", "tunnel", "--namespace", _HOME).strip()
        config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        (folder / "kubeconfig").write_text(json.dumps(config))
        yield folder / "kubeconfig"
    finally:
        cluster.kubectl("delete", "-f", "-", "--ignore-not-found", given=made)
        cluster.kubectl("delete", "namespace", _HOME, "--wait=false")


@pytest.fixture
async def api(account: Path) -> AsyncIterator[Api]:
    made = await connect(account)
    yield made
    await made.close()


def _kit(api: Api, cluster: Cluster, inside: Inside) -> Kit:
    return Kit("kube-pod://x", cluster.programs["buildctl"], tunnel=Tunnel(api, inside))


async def test_buildkit_is_reached_and_every_other_command_and_pod_is_refused(
    api: Api, cluster: Cluster, buildkit_pod: BuildKitPod
) -> None:
    said = await _kit(api, cluster, Inside(buildkit_pod.namespace, POD, _DIAL)).check()
    assert said.startswith("BuildKit at kube-pod://x for linux/")
    others = [
        Inside(buildkit_pod.namespace, POD, ("buildctl", "debug", "workers")),
        Inside(buildkit_pod.namespace, POD, ("sh", "-c", "buildctl dial-stdio")),
        Inside(buildkit_pod.namespace, POD, (*_DIAL, "--addr", "tcp://elsewhere:1")),
        Inside(buildkit_pod.namespace, "another", _DIAL),
        Inside("kube-system", POD, _DIAL),
    ]
    async with asyncio.timeout(30):  # the API server may not have taken up the policy yet
        while not await _is_refused(api, others[0]):
            await asyncio.sleep(0.1)
    assert [each for each in others if not await _is_refused(api, each)] == []


async def _is_refused(api: Api, inside: Inside) -> bool:
    try:
        conversation = await api.converse(inside.namespace, inside.pod, inside.command)
    except (Refused, Transient) as error:
        return "403" in str(error) or "permission" in str(error) or "refuses" in str(error)
    await conversation.close()
    return False


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        (("nobody", _DIAL), "There is no pod nobody in the namespace"),
        ((POD, ("no-such-program",)), "no-such-program"),
    ],
)
async def test_what_is_in_the_way_is_told_with_the_address(
    cluster: Cluster, buildkit_pod: BuildKitPod, inside: tuple[str, Sequence[str]], told: str
) -> None:
    api = await connect(Path(cluster.kubeconfig))
    try:
        with pytest.raises(Transient) as caught:
            await _kit(api, cluster, Inside(buildkit_pod.namespace, *inside)).check()
    finally:
        await api.close()
    assert "BuildKit at kube-pod://x cannot be reached" in str(caught.value)
    assert told in str(caught.value)


async def test_connections_at_once_each_have_a_command_of_their_own(
    cluster: Cluster, buildkit_pod: BuildKitPod
) -> None:
    api = await connect(Path(cluster.kubeconfig))
    size = 3_000_000
    try:
        async with Tunnel(api, Inside(buildkit_pod.namespace, POD, ("cat",))).open() as way:
            assert await asyncio.gather(*(_echo(way.address, bytes([each]) * size) for each in range(4))) == [True] * 4
    finally:
        await api.close()


async def _echo(address: str, sent: bytes) -> bool:
    reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix://"))
    writer.write(sent)
    try:
        return await reader.readexactly(len(sent)) == sent
    finally:
        writer.close()
