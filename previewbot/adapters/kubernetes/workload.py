"""The manifests of a release: for each service a Deployment, and a Service where it has a port. Pure.

Two releases live in one namespace side by side. Each finds its own siblings by their plain names, because its pods
carry the addresses of its own Services (``hostAliases``).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from previewbot.adapters.kubernetes.enclosure import ACCOUNT_NAME
from previewbot.adapters.kubernetes.kinds import CLAIM, DEPLOYMENT, JOB, SECRET, SERVICE, Thing
from previewbot.adapters.kubernetes.names import ASLEEP, LAID, RESOURCE, RUN, SCHEDULE, VOLUME, object_name
from previewbot.adapters.kubernetes.options import Sizes, cpu, memory
from previewbot.adapters.kubernetes.place import Place
from previewbot.core.filling import argument
from previewbot.core.ids import host_label
from previewbot.core.model import ServiceSpec

CONTAINER = "app"
PATIENCE = "previewbot.dev/patience"
"""The annotation with the seconds that a pod may take to become ready."""
HEALTH_PATH = "previewbot.dev/health-path"
HEALTH_COMMAND = "previewbot.dev/health-command"
PORT = "previewbot.dev/port"
_PRIVILEGED_PORTS = 1024
_SLACK = 600
"""Seconds that the cluster is given on top, to find room and to pull images."""
_PORT_SYSCTL = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}


@dataclass(frozen=True, slots=True)
class Program:
    """What a service runs, and beside whom."""

    image: str
    """A reference that the nodes can pull."""
    user: int | None
    """Who it runs as; ``None`` leaves it to the image, which names somebody by a number."""
    siblings: Mapping[str, str]
    """The addresses of the release's services by name."""
    sealed: Sequence[str] = ()
    """The names of its variables that are in a Secret of its own."""


@dataclass(frozen=True, slots=True)
class Berth:
    """Where one service of one release belongs."""

    place: Place
    revision: str
    spec: ServiceSpec
    resource: str | None = None
    """The resource that it is, where it is none of the app's own services."""

    @property
    def name(self) -> str:
        """What its objects are called."""
        return object_name(self.spec.name, self.revision)

    @property
    def labels(self) -> dict[str, str]:
        """What its objects carry."""
        made = self.place.names.labels(self.place.key, self.revision, self.spec.name)
        return made | ({RESOURCE: self.resource} if self.resource else {})

    @property
    def selector(self) -> dict[str, str]:
        """What finds its pods."""
        return self.place.names.labels(None, self.revision, self.spec.name)


def service(berth: Berth) -> Thing:
    """The address of one service inside the namespace; a resource keeps its over all its releases, its plain name."""
    spec = berth.spec
    port = {"name": "main", "port": spec.port, "targetPort": spec.port, "protocol": "TCP"}
    content = {"type": "ClusterIP", "selector": berth.selector, "ports": [port]}
    return berth.place.thing(SERVICE, berth.resource or berth.name, {"spec": content}, labels=berth.labels)


def secret(berth: Berth, sealed: Mapping[str, str], owner: Thing | None = None) -> Thing:
    """The variables of one service that are secret; they go with what runs it, once that owns them."""
    data = {name: base64.b64encode(value.encode()).decode("ascii") for name, value in sealed.items()}
    content: dict[str, Any] = {"type": "Opaque", "data": data}
    if owner:
        about = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
        about |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        content["metadata"] = {"ownerReferences": [about]}
    return berth.place.thing(SECRET, berth.name, content, labels=berth.labels)


def claim(place: Place, name: str) -> Thing:
    """A volume that belongs to the environment."""
    volumes = place.options.volumes
    content: dict[str, Any] = {
        "accessModes": [volumes.access_mode],
        "resources": {"requests": {"storage": volumes.size}},
    }
    if volumes.storage_class is not None:
        content["storageClassName"] = volumes.storage_class
    labels = place.names.labels(place.key) | {VOLUME: name}
    return place.thing(CLAIM, name, {"spec": content}, labels=labels)


def deployment(berth: Berth, program: Program) -> Thing:
    """The programs of one service. Two servers never share the files of a resource."""
    spec = berth.spec
    patience = max(1, math.ceil(spec.health.timeout.total_seconds()))
    remarks = {PATIENCE: str(patience)}
    if spec.port is not None:
        remarks[PORT] = str(spec.port)
    if spec.health.command is not None:
        remarks[HEALTH_COMMAND] = spec.health.command[0]
    if spec.health.path is not None:
        remarks[HEALTH_PATH] = spec.health.path
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    content = {
        "replicas": spec.replicas,
        "revisionHistoryLimit": 0,
        "progressDeadlineSeconds": patience + _SLACK,
        "selector": {"matchLabels": berth.selector},
        "strategy": {"type": "Recreate"} if berth.resource else rolling,
        "template": {"metadata": {"labels": berth.labels, "annotations": remarks}, "spec": _pod(berth, program)},
    }
    return berth.place.thing(DEPLOYMENT, berth.name, {"spec": content}, labels=berth.labels)


def job(berth: Berth, program: Program) -> Thing:
    """A program that runs once: never a second time, whatever its end, and not for longer than it may.

    The limit is the pod's, which stays with what it said. The job's own takes it away, and holds for a pod that cannot
    even begin.
    """
    limit = max(1, math.ceil(berth.spec.health.timeout.total_seconds()))
    pod = _pod(berth, program) | {"restartPolicy": "Never", "activeDeadlineSeconds": limit}
    content: dict[str, Any] = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": limit + _SLACK,
        "template": {"metadata": {"labels": berth.labels}, "spec": pod},
    }
    remarks: dict[str, str] = {}
    if berth.spec.is_laid:
        content["suspend"] = True
        remarks[LAID] = "true"
    if berth.spec.schedule is not None:
        remarks[SCHEDULE] = berth.spec.schedule.written()
    about = {"annotations": remarks} if remarks else {}
    return berth.place.thing(JOB, berth.name, {"spec": content, "metadata": about}, labels=berth.labels)


def run(place: Place, laid: Thing, name: str) -> Thing:
    """One run of a job that is laid, which is a suspended one."""
    template = laid["spec"]["template"]
    # What the cluster adds to find the pods of a job is that job's own.
    about = template["metadata"].get("labels") or {}
    own = {label: value for label, value in about.items() if "controller-uid" not in label and "job-name" not in label}
    kept = ("backoffLimit", "completions", "parallelism", "activeDeadlineSeconds")
    content = {part: laid["spec"][part] for part in kept if part in laid["spec"]}
    content["template"] = {"metadata": {"labels": own | {RUN: name}}, "spec": template["spec"]}
    labels = laid["metadata"]["labels"] | {RUN: name}
    return place.thing(JOB, host_label(laid["metadata"]["name"], name), {"spec": content}, labels=labels)


def workload(berth: Berth, program: Program) -> Thing:
    """Whatever runs a service: once, or on and on."""
    return (deployment if berth.spec.kind.stays else job)(berth, program)


def asleep(manifest: Thing) -> Thing:
    """The same workload before its secrets are there: it owns them, and nothing of it runs."""
    about = manifest["metadata"]
    rest = {"paused": True} if manifest["kind"] == DEPLOYMENT.name else {"suspend": True}
    remarks = {**about.get("annotations", {}), ASLEEP: "true"}
    return {**manifest, "metadata": {**about, "annotations": remarks}, "spec": {**manifest["spec"], **rest}}


def _pod(berth: Berth, program: Program) -> dict[str, Any]:
    options, spec = berth.place.options, berth.spec
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if program.user is not None:
        security |= {"runAsUser": program.user, "runAsGroup": program.user, "fsGroup": program.user}
    elif spec.volumes:
        security["fsGroup"] = options.run_as_user
    if spec.volumes:
        # Once is enough: opening every file to the group at each start is slow, and servers refuse their own keys then.
        security["fsGroupChangePolicy"] = "OnRootMismatch"
    if spec.port is not None and spec.port < _PRIVILEGED_PORTS:
        security["sysctls"] = [_PORT_SYSCTL]
    pod: dict[str, Any] = {
        "serviceAccountName": ACCOUNT_NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": options.stop_seconds,
        "hostname": spec.name.replace(".", "-"),
        "securityContext": security,
        "containers": [_container(berth, program)],
    }
    if spec.volumes:
        names = sorted(set(spec.volumes.values()))
        pod["volumes"] = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in names]
    if program.siblings:
        aliases = sorted((address, name) for name, address in program.siblings.items())
        pod["hostAliases"] = [{"ip": address, "hostnames": [name]} for address, name in aliases]
    if options.runtime_class:
        pod["runtimeClassName"] = options.runtime_class
    return pod


def _container(berth: Berth, program: Program) -> dict[str, Any]:
    spec, sizes = berth.spec, _sizes(berth)
    env: list[dict[str, Any]] = [
        {"name": name, "value": literal(value)} for name, value in spec.env.items() if name not in program.sealed
    ]
    env += [{"name": each, "valueFrom": {"secretKeyRef": {"name": berth.name, "key": each}}} for each in program.sealed]
    made: dict[str, Any] = {
        "name": CONTAINER,
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": sizes.limits(), "requests": sizes.requests()},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if env:  # an empty list is none to the API server, and would look like somebody's change
        made["env"] = sorted(env, key=lambda each: str(each["name"]))
    if spec.entrypoint is not None:
        made["command"] = [literal(word) for word in spec.entrypoint]
    if spec.command is not None:
        # What is secret of a command is a variable, whose value the kubelet puts in its place.
        names = [argument(place) for place in range(len(spec.command))]
        words = zip(names, spec.command, strict=True)
        made["args"] = [f"$({name})" if name in program.sealed else literal(word) for name, word in words]
    if spec.volumes:
        made["volumeMounts"] = [{"name": spec.volumes[path], "mountPath": path} for path in sorted(spec.volumes)]
    if spec.port is not None:
        made["ports"] = [{"name": "main", "containerPort": spec.port, "protocol": "TCP"}]
    if spec.port is not None or spec.health.command is not None:
        made["readinessProbe"] = _probe(spec)
    return made


def _sizes(berth: Berth) -> Sizes:
    """What a container may use, and is promised: never more than it may use."""
    usual, size = berth.place.options.sizes, berth.spec.size
    return usual if size is None else replace(usual, cpu=cpu(size.cpu), memory=memory(size.memory))


def literal(text: str) -> str:
    """Write a text so that the kubelet's own ``$(NAME)`` finds nothing in it."""
    return text.replace("$", "$$")


def _probe(spec: ServiceSpec) -> dict[str, Any]:
    probe: dict[str, Any] = {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 3}
    if spec.health.command is not None:
        return probe | {"exec": {"command": list(spec.health.command)}}
    if spec.health.path is None:
        return probe | {"tcpSocket": {"port": spec.port}}
    header = {"name": "Host", "value": spec.host or "localhost"}
    return probe | {"httpGet": {"path": spec.health.path, "port": spec.port, "httpHeaders": [header]}}
