"""previewbot's own account in a cluster, as its chart makes it: enough for its work, and no way out of that.

Every escape is tried with the account's real token against a real API server, which has to refuse it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from previewbot.adapters.kubernetes import Api, connect
from previewbot.adapters.kubernetes.kinds import POD
from previewbot.adapters.kubernetes.options import Gateway, Routing
from previewbot.adapters.kubernetes.place import Certificate, Handed
from previewbot.adapters.kubernetes.rights import lacking, needed
from previewbot.core.ids import Key
from tests.cluster.state import Cluster
from tests.fixtures.engine import BASE, SERVE, release, service
from tests.fixtures.kubernetes import OPTIONS, Rig, rig

pytestmark = pytest.mark.cluster

CHART = Path("deploy/helm/previewbot")
HOME = "previewbot-access"
REMARKS = {"example.com/team": 'shop\'s "best"'}
_REMARK = "config.kubernetes.ingress_annotations.example\\.com/team=" + REMARKS["example.com/team"].replace('"', '\\"')
KEY = Key(21, 1)


@dataclass(frozen=True)
class Account:
    """The account, what opens the cluster as it, and the instance that it belongs to."""

    kubeconfig: Path
    instance: str


@pytest.fixture(scope="module")
def account(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    values = ("--set", "instance=access,domain=localhost,accountOnly=true", "--set", _REMARK)
    made = cluster._run(
        [cluster.programs["helm"], "template", "access", str(CHART), "--kube-version", "1.34.4",
         "--namespace", HOME, *values]
    )  # fmt: skip
    cluster.kubectl("create", "namespace", HOME)
    cluster.kubectl("create", "secret", "generic", "bootstrap", "--namespace", "kube-system")
    try:
        cluster.kubectl("apply", "--server-side", "-f", "-", given=made)
        _await_policy(cluster)
        token = cluster.kubectl("create", "token", "access", "--namespace", HOME).strip()
        config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        file = tmp_path_factory.mktemp("access") / "kubeconfig"
        file.write_text(json.dumps(config))
        yield Account(file, "access")
    finally:
        cluster.kubectl("delete", "-f", "-", "--ignore-not-found", given=made)
        cluster.kubectl("delete", "namespace", HOME, "--wait=false")
        cluster.kubectl("delete", "secret", "bootstrap", "--namespace", "kube-system")


def _await_policy(cluster: Cluster) -> None:
    """Wait until the API server has taken up the policy: only then is the account confined."""
    user = f"--as=system:serviceaccount:{HOME}:access"
    for _ in range(100):
        try:
            cluster.kubectl("create", "namespace", "escaped", "--dry-run=server", user)
        except AssertionError as refused:
            if "its own labels" in str(refused):
                return
        time.sleep(0.1)
    pytest.fail("the policy is not taken up")


@pytest.fixture
async def confined(account: Account) -> AsyncIterator[Rig]:
    """The adapters, acting as the account, with one environment that runs."""
    async with rig(
        account.kubeconfig,
        account.instance,
        replace(OPTIONS, routing=Routing(annotations=REMARKS)),
        Handed('{"auths":{}}', Certificate("a chain", "a key")),
    ) as made:
        yield made


async def _ask(api: Api, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """``MERGE`` is a PATCH whose body is merged."""
    content = "application/merge-patch+json" if method == "MERGE" else "application/json"
    method = method.replace("MERGE", "PATCH")
    prepared = await api.connection._client.param_serialize(
        method, path, header_params={"Content-Type": content}, body=body, auth_settings=["BearerToken"]
    )
    answer = await api.connection._client.call_api(*prepared)
    return answer.status, (await answer.read()).decode("utf-8", "replace")


@pytest.mark.parametrize(
    "gateway", [Routing(), Routing(gateway=Gateway("public", "gateways"))], ids=["ingress", "gateway"]
)
def test_the_chart_grants_what_previewbot_needs_and_nothing_more(cluster: Cluster, gateway: Routing) -> None:
    values = ("--set", f"instance=x,accountOnly=true,gateway={'true' if gateway.gateway else 'false'}")
    made = cluster._run([cluster.programs["helm"], "template", "x", str(CHART), "--kube-version", "1.34.4", *values])
    roles = [each for each in YAML(typ="safe").load_all(made) if each["kind"] in ("ClusterRole", "Role")]
    granted = {
        (role["metadata"].get("namespace", ""), group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    wanted = {("", right.kind.group, right.resource, verb) for right in needed(gateway) for verb in right.verbs}
    assert granted == wanted | {("", "authorization.k8s.io", "selfsubjectaccessreviews", "create")}


async def test_the_doctor_names_what_an_account_may_not_do(confined: Rig, cluster: Cluster, tmp_path: Path) -> None:
    assert await lacking(confined.api, Routing()) == []
    assert await lacking(confined.api, Routing(gateway=Gateway("public", "gateways"))) == [
        f"{verb} httproutes" for verb in ("get", "list", "watch", "create", "update", "patch", "delete")
    ]


async def test_the_account_may_do_all_that_previewbot_does(confined: Rig, cluster: Cluster) -> None:
    wanted = release(KEY, "r1", service("web", SERVE, 8080))
    await confined.runtime.start(wanted, {"base": BASE})
    await confined.until(lambda seen: seen.releases and seen.releases[0].instances[0].state == "ready", KEY)
    await confined.front_door.route(KEY, {"pr-1-access.localhost": ("web-r1:8080",)})
    await confined.runtime.tail(KEY, "r1", "web", lines=3)
    namespace = await confined.namespace(KEY)
    patch = '{"spec":{"template":{"spec":{"nodeSelector":{"disk":"fast"}}}}}'
    cluster.kubectl("patch", "deployment", "web-r1", "--namespace", namespace, "--type=merge", "-p", patch)
    await confined.until(lambda seen: seen.releases[0].drifted, KEY)
    await confined.runtime.start(wanted, {"base": BASE})
    await confined.until(lambda seen: not seen.releases[0].drifted, KEY)
    confined.give(Handed())
    await confined.until(lambda seen: seen.outdated, KEY)
    await confined.runtime.prepare(KEY, "r1")
    await confined.until(lambda seen: not seen.outdated, KEY)
    await confined.front_door.route(KEY, {})
    await confined.runtime.remove(KEY, "r1")
    await confined.runtime.delete(KEY)
    await confined.until(lambda seen: seen.is_empty, KEY, seconds=60)


def _pod(**spec: Any) -> dict[str, Any]:
    container = {"name": "x", "image": BASE, "command": ["sleep", "1"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]} | spec}


def _named(version: str, kind: str, name: str = "x", **content: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}


_LABELS = {
    "app.kubernetes.io/managed-by": "previewbot",
    "previewbot.dev/instance": "access",
    "previewbot.dev/key": "pr-21-1",
}
_SECURE = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
_RBAC, _V1 = "/apis/rbac.authorization.k8s.io/v1", "/api/v1"
_SYSTEM, _OWN = f"{_V1}/namespaces/kube-system", f"{_V1}/namespaces/NAMESPACE"
_ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_POLICIES = "/apis/admissionregistration.k8s.io/v1"
_PATH = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web-r1", "port": {"number": 8080}}}}
_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": _pod()["spec"]}
_DEPLOYMENT = {"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}
_JOB = {"template": {"spec": _pod(restartPolicy="Never")["spec"]}}


def _namespace(**labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "escaped", "labels": labels}}


def _relabel(**labels: str | None) -> dict[str, Any]:
    return {"metadata": {"labels": labels}}


_ROUTES = "/apis/networking.k8s.io/v1/namespaces/NAMESPACE"


def _route(**annotations: str) -> dict[str, Any]:
    rule = {"host": "pr-9-access.localhost", "http": {"paths": [_PATH]}}
    made = _named("networking.k8s.io/v1", "Ingress", spec={"rules": [rule]})
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


ESCAPES: dict[str, tuple[str, str, Any]] = {
    "read secrets of the system": ("GET", f"{_SYSTEM}/secrets", None),
    "read all secrets": ("GET", f"{_V1}/secrets", None),
    "read its own pull secret": ("GET", f"{_OWN}/secrets/registry", None),
    "read a secret by writing it": ("MERGE", f"{_SYSTEM}/secrets/bootstrap", {"metadata": {"labels": {"a": "b"}}}),
    "make a secret in the system": ("POST", f"{_SYSTEM}/secrets", _named("v1", "Secret")),
    "make a token's secret": ("POST", f"{_OWN}/secrets", {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "registry", "annotations": {"kubernetes.io/service-account.name": "preview"}}}),
    "make a token's secret in the place of the certificate": ("POST", f"{_OWN}/secrets", {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "certificate", "annotations": {"kubernetes.io/service-account.name": "preview"}}}),
    "read its own certificate": ("GET", f"{_OWN}/secrets/certificate", None),
    "make another secret": ("POST", f"{_OWN}/secrets", _named("v1", "Secret", "other")),
    "run a pod in the system": ("POST", f"{_SYSTEM}/pods", _pod()),
    "run a privileged pod": ("POST", f"{_OWN}/pods", _pod(hostPID=True)),
    "run a deployment in the system": (
        "POST", "/apis/apps/v1/namespaces/kube-system/deployments", _named("apps/v1", "Deployment", spec=_DEPLOYMENT)),
    "run a deployment as another account": (
        "POST", "/apis/apps/v1/namespaces/NAMESPACE/deployments", _named("apps/v1", "Deployment", spec=_DEPLOYMENT)),
    "run a daemon set": (
        "POST", "/apis/apps/v1/namespaces/NAMESPACE/daemonsets", _named("apps/v1", "DaemonSet", spec=_DEPLOYMENT)),
    "run a job as another account": (
        "POST", "/apis/batch/v1/namespaces/NAMESPACE/jobs", _named("batch/v1", "Job", spec=_JOB)),
    "run a job in the system": ("POST", "/apis/batch/v1/namespaces/kube-system/jobs", _named(
        "batch/v1", "Job", spec=_JOB)),
    "run a job by the clock": ("POST", "/apis/batch/v1/namespaces/NAMESPACE/cronjobs", _named(
        "batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": {"spec": _JOB}})),
    "become cluster-admin": ("POST", f"{_RBAC}/clusterrolebindings", _named(
        "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", roleRef=_ADMIN,
        subjects=[{"kind": "ServiceAccount", "name": "access", "namespace": HOME}])),
    "widen its own role": ("MERGE", f"{_RBAC}/clusterroles/access-previewbot", {"rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
    "bind a role in its namespace": ("POST", f"{_RBAC}/namespaces/NAMESPACE/rolebindings", _named(
        "rbac.authorization.k8s.io/v1", "RoleBinding", roleRef=_ADMIN, subjects=[])),
    "take the policy away": ("DELETE", f"{_POLICIES}/validatingadmissionpolicies/access-previewbot", None),
    "take the policy's binding away": (
        "DELETE", f"{_POLICIES}/validatingadmissionpolicybindings/access-previewbot", None),
    "listen to all requests": ("POST", f"{_POLICIES}/mutatingwebhookconfigurations", _named(
        "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")),
    "make the system look like its own": ("MERGE", _SYSTEM, _relabel(**_LABELS)),
    "delete the system": ("DELETE", _SYSTEM, None),
    "delete its own home": ("DELETE", f"{_V1}/namespaces/{HOME}", None),
    "make a namespace without labels": ("POST", f"{_V1}/namespaces", _namespace()),
    "make a namespace without security": ("POST", f"{_V1}/namespaces", _namespace(**_LABELS)),
    "make a namespace for another instance": (
        "POST", f"{_V1}/namespaces", _namespace(**_LABELS | _SECURE | {"previewbot.dev/instance": "other"})),
    "make a privileged namespace": ("POST", f"{_V1}/namespaces", _namespace(
        **_LABELS | _SECURE | {"pod-security.kubernetes.io/enforce": "privileged"})),
    "lower the security of a namespace": (
        "MERGE", _OWN, _relabel(**{"pod-security.kubernetes.io/enforce": "baseline"})),
    "remove the security of a namespace": ("MERGE", _OWN, _relabel(**{"pod-security.kubernetes.io/enforce": None})),
    "give a namespace another key": ("MERGE", _OWN, _relabel(**{"previewbot.dev/key": "pr-9-9"})),
    "take a namespace out of its instance": ("MERGE", _OWN, _relabel(**{"previewbot.dev/instance": None})),
    "run a command in a program": ("POST", f"{_OWN}/pods/POD/exec?command=id&container=app", None),
    "attach to a program": ("POST", f"{_OWN}/pods/POD/attach?container=app", None),
    "forward a port": ("POST", f"{_OWN}/pods/POD/portforward?ports=8080", None),
    "reach a program through the API": ("GET", f"{_OWN}/pods/POD/proxy/", None),
    "put another container into a pod": ("MERGE", f"{_OWN}/pods/POD/ephemeralcontainers", {"spec": {}}),
    "get another account's token": ("POST", f"{_SYSTEM}/serviceaccounts/default/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    "get a preview's token": ("POST", f"{_OWN}/serviceaccounts/preview/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    "make an account with a token": ("POST", f"{_OWN}/serviceaccounts", _named("v1", "ServiceAccount", "other")),
    "give the preview's account a token": (
        "MERGE", f"{_OWN}/serviceaccounts/preview", {"automountServiceAccountToken": True}),
    "open a port on every node": ("POST", f"{_OWN}/services", _named(
        "v1", "Service", spec={"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]})),
    "take over an address": ("POST", f"{_OWN}/services", _named(
        "v1", "Service", spec={"externalIPs": ["192.0.2.1"], "selector": {"a": "b"}, "ports": [{"port": 80}]})),
    "name a foreign host": ("POST", f"{_OWN}/services", _named(
        "v1", "Service", spec={"type": "ExternalName", "externalName": "example.com"})),
    "point a service anywhere": ("POST", "/apis/discovery.k8s.io/v1/namespaces/NAMESPACE/endpointslices", _named(
        "discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[])),
    "take over a foreign host": ("POST", "/apis/networking.k8s.io/v1/namespaces/NAMESPACE/ingresses", _named(
        "networking.k8s.io/v1", "Ingress", spec={"rules": [{"host": "shop.example.com"}]})),
    "take every host": ("POST", "/apis/networking.k8s.io/v1/namespaces/NAMESPACE/ingresses", _named(
        "networking.k8s.io/v1", "Ingress", spec={"rules": [{"http": {"paths": [_PATH]}}]})),
    "have the ingress controller run its own configuration": ("POST", f"{_ROUTES}/ingresses", _route(
        **{"nginx.ingress.kubernetes.io/configuration-snippet": "return 200 secret;"})),
    "send visitors through another's middleware": ("POST", f"{_ROUTES}/ingresses", _route(
        **{"traefik.ingress.kubernetes.io/router.middlewares": "kube-system-auth@kubernetescrd"})),
    "use another certificate authority": ("POST", f"{_ROUTES}/ingresses", _route(
        **{"cert-manager.io/cluster-issuer": "internal"})),
    "say otherwise what the operator said": ("POST", f"{_ROUTES}/ingresses", _route(
        **{"example.com/team": "payments"})),
    "remark on a route afterwards": ("MERGE", f"{_ROUTES}/ingresses/pr-1-access-localhost", {"metadata": {
        "annotations": {"nginx.ingress.kubernetes.io/server-snippet": "return 200 secret;"}}}),
    "have a name of its own made for a service": ("MERGE", f"{_OWN}/services/web-r1", {"metadata": {
        "annotations": {"external-dns.alpha.kubernetes.io/hostname": "shop.example.com"}}}),
    "give the preview's account a role in the cloud": ("MERGE", f"{_OWN}/serviceaccounts/preview", {"metadata": {
        "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/admin"}}}),
    "open the system's network": ("POST", "/apis/networking.k8s.io/v1/namespaces/kube-system/networkpolicies", _named(
        "networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "ingress": [{}]})),
    "mount the node's disk": ("POST", f"{_V1}/persistentvolumes", _named("v1", "PersistentVolume", spec={
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/"}})),
    "reach a node's kubelet": ("GET", f"{_V1}/nodes/node/proxy/pods", None),
    "change a node": ("MERGE", f"{_V1}/nodes/node", {"spec": {"unschedulable": True}}),
    "sign a certificate": ("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", _named(
        "certificates.k8s.io/v1", "CertificateSigningRequest", spec={
            "request": "eA==", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]})),
}  # fmt: skip


async def test_every_way_out_is_refused_by_the_api_server(confined: Rig) -> None:
    """One test for all: what it tries from is one environment that runs."""
    await confined.runtime.start(release(KEY, "r1", service("web", SERVE, 8080)), {"base": BASE})
    await confined.until(lambda seen: seen.releases and seen.releases[0].instances[0].state == "ready", KEY)
    await confined.front_door.route(KEY, {"pr-1-access.localhost": ("web-r1:8080",)})
    namespace = await confined.namespace(KEY)
    pod = (await confined.api.list(POD, namespace)).things[0]["metadata"]["name"]
    escaped = {}
    for name, (method, path, body) in ESCAPES.items():
        there = path.replace("NAMESPACE", namespace).replace("/POD", f"/{pod}")
        status, said = await _ask(confined.api, method, there, body)
        if status not in (403, 422) or (status == 422 and "previewbot" not in said):
            escaped[name] = (status, said[:300])
    assert len(ESCAPES) >= 30
    assert not escaped, "\n".join(f"{name}: {what}" for name, what in escaped.items())


async def test_nobody_is_impersonated(account: Account) -> None:
    api = await connect(account.kubeconfig)
    api.connection._client.set_default_header("Impersonate-User", "system:admin")
    try:
        status, said = await _ask(api, "GET", "/api/v1/namespaces")
    finally:
        await api.close()
    assert status == 403
    assert "impersonate" in said
