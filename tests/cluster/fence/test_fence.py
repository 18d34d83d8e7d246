"""Policies that come, change and go are in force in the tests' cluster a moment later."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster import mortality
from tests.cluster.images import BASE
from tests.cluster.state import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pods of one namespace, of which ``a`` asks and ``b`` answers."""

    cluster: Cluster
    namespace: str
    address: str

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, given=given)

    def asks(self) -> bool:
        """Whether the answer comes."""
        try:
            self.kubectl("exec", "a", "--", "timeout", "5", "wget", "-qO-", f"http://{self.address}:8080/hostname")
        except AssertionError as error:
            if "No route to host" not in str(error):
                raise
            return False
        return True

    def apply(self, **spec: object) -> None:
        """Have the one policy of the namespace say this."""
        about = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "only"}}
        self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps({**about, "spec": spec}))

    def becomes(self, *, open_: bool) -> None:
        """Wait until it does, and see that it stays so."""
        until = time.monotonic() + 10
        while self.asks() is not open_:
            assert time.monotonic() < until
        assert self.asks() is open_


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[Pair]:
    name = f"fence-{uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    try:
        for pod in ("a", "b"):
            serve = ("--", "httpd", "-f", "-p", "8080", "-h", "/etc")
            labels = f"--labels=name={pod}"
            cluster.kubectl("--namespace", name, "run", pod, f"--image={BASE}", labels, "--port=8080", *serve)
        cluster.kubectl("--namespace", name, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        where = ("get", "pod", "b", "-o", "jsonpath={.status.podIP}")
        yield Pair(cluster, name, cluster.kubectl("--namespace", name, *where))
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_a_policy_closes_and_opens_when_it_comes_changes_and_goes(pair: Pair) -> None:
    pair.becomes(open_=True)
    pair.apply(podSelector={}, policyTypes=["Ingress"])
    pair.becomes(open_=False)
    peer = {"podSelector": {"matchLabels": {"name": "a"}}}
    pair.apply(podSelector={}, policyTypes=["Ingress"], ingress=[{"from": [peer], "ports": [{"port": 8080}]}])
    pair.becomes(open_=True)
    pair.kubectl("label", "pod", "a", "name=c", "--overwrite")
    pair.becomes(open_=False)
    pair.kubectl("delete", "networkpolicy", "only")
    pair.becomes(open_=True)


def test_a_fence_that_dies_is_there_again_and_knows_the_pods_from_before(pair: Pair) -> None:
    pair.apply(podSelector={}, policyTypes=["Ingress"])
    pair.becomes(open_=False)
    mortality.kill(pair.cluster, "fence", within=True)
    assert not pair.asks(), "nothing opens meanwhile"
    pair.apply(podSelector={}, ingress=[{}])
    pair.becomes(open_=True)
    pair.kubectl("run", "c", f"--image={BASE}", "--restart=Never", "--", "sleep", "100")
    pair.kubectl("wait", "--for=condition=Ready", "pod/c", "--timeout=60s")
    assert "it is started again" in (Path(pair.cluster.logs) / "fence.log").read_text()
