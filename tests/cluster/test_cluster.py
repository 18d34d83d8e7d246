"""The cluster is a real one: what runs in the world's clusters runs here, and what they refuse is refused."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster import debian, images
from tests.cluster.images import BASE
from tests.cluster.state import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that lets in restricted pods only."""
    name = f"test-{uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    _apply(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_its_node_is_ready_and_of_the_version_that_was_built(cluster: Cluster) -> None:
    shown = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    (node,) = shown
    ready = [each["status"] for each in node["status"]["conditions"] if each["type"] == "Ready"]
    assert (ready, node["status"]["nodeInfo"]["kubeletVersion"][:6]) == (["True"], "v1.34.")


@pytest.mark.parametrize("kind", ["Ingress", "HTTPRoute"])
def test_a_restricted_deployment_answers_through_traefik(cluster: Cluster, namespace: str, kind: str) -> None:
    host = f"{namespace}.example.test"
    _apply(cluster, _deployment(namespace, BASE), _service(namespace), _front(cluster, namespace, kind, host))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    _eventually(lambda: _visit(cluster, host) == (200, "root:x:0:"))


def test_a_pod_finds_a_service_by_its_name(cluster: Cluster, namespace: str) -> None:
    _apply(cluster, _deployment(namespace, BASE), _service(namespace))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    asked = ("-n", namespace, "exec", "deployment/web", "--", "wget", "-qO-", "http://web/group")
    assert cluster.kubectl(*asked).strip() == "root:x:0:"


def test_an_image_that_was_built_and_pushed_runs(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nRUN mkdir /site && echo built > /site/group\n")
    image = cluster.build(tmp_path, f"{namespace}/site:1")
    _apply(cluster, _deployment(namespace, image, "httpd", "-f", "-p", "8080", "-h", "/site"), _service(namespace))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    asked = ("-n", namespace, "exec", "deployment/web", "--", "wget", "-qO-", "http://web/group")
    assert cluster.kubectl(*asked).strip() == "built"


def test_a_debian_that_was_made_here_is_built_on_by_its_name_at_docker_hub(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    tar = debian.filesystem(["python3"], print)
    images.push(cluster.registry, f"library/{namespace}:1", images.Layer.of(tar), debian.CONFIG)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {namespace}:1\nRUN mkdir /site && python3 -c 'print(6)' > /site/group\n"
    )
    image = cluster.build(tmp_path, f"{namespace}/site:1")
    serve = ("python3", "-m", "http.server", "8080", "--directory", "/site")
    _apply(cluster, _deployment(namespace, image, *serve), _service(namespace))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    asked = ("-c", "from urllib.request import urlopen; print(urlopen('http://web/group').read())")
    assert cluster.kubectl("-n", namespace, "exec", "deployment/web", "--", "python3", *asked) == "b'6\\n'\n"


def test_a_pod_that_may_do_too_much_is_not_let_in(cluster: Cluster, namespace: str) -> None:
    pod = ("-n", namespace, "run", "mighty", f"--image={BASE}", "--privileged")
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        cluster.kubectl(*pod)


def test_whom_pods_reach_on_the_machine_proves_who_it_is_and_asks_for_the_same(cluster: Cluster) -> None:
    trusted = ssl.create_default_context(cafile=f"{cluster.trust}/outside-ca.crt")
    with closing(http.client.HTTPSConnection(cluster.secure_registry, context=trusted, timeout=5)) as connection:
        connection.request("GET", f"/v2/{BASE.partition(':')[0]}/tags/list")
        assert json.loads(connection.getresponse().read())["tags"] == ["1"]
    ask = [cluster.programs["buildctl"], "--addr", cluster.secure_buildkit]
    papers = ("--tlscacert", "outside-ca.crt"), ("--tlscert", "outside-client.crt"), ("--tlskey", "outside-client.key")
    proof = [part for option, name in papers for part in (option, f"{cluster.trust}/{name}")]
    assert "linux/" in cluster._run([*ask, *proof, "debug", "workers"])
    with pytest.raises(AssertionError, match="failed to list workers: Unavailable"):
        cluster._run([*ask, *proof[:2], "debug", "workers"])


def _deployment(namespace: str, image: str, *serve: str) -> dict[str, object]:
    container = {
        "name": "web",
        "image": image,
        "command": serve or ["httpd", "-f", "-p", "8080", "-h", "/etc"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    safe = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"containers": [container], "securityContext": safe, "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod},
        },
    }


def _service(namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def _front(cluster: Cluster, namespace: str, kind: str, host: str) -> dict[str, object]:
    metadata = {"name": "web", "namespace": namespace}
    if kind == "Ingress":
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        spec: dict[str, object] = {"rules": [{"host": host, "http": {"paths": paths}}]}
        return {"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
    where, _, name = cluster.gateway.partition("/")
    spec = {
        "hostnames": [host],
        "parentRefs": [{"name": name, "namespace": where}],
        "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
    }
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _apply(cluster: Cluster, *things: dict[str, object]) -> None:
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
    cluster.kubectl("apply", "--server-side", "-f", "-", given=given)


def _visit(cluster: Cluster, host: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(cluster.ingress, timeout=5)) as connection:
        connection.request("GET", "/group", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()


def _eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
