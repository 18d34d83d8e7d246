"""The manifests of a release: for each service a Deployment, and a Service where it has a port. Pure.

Two releases live in one namespace side by side. Each finds its own siblings by their plain names, because its pods
carry the addresses of its own Services (``hostAliases``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from previewbot.adapters.kubernetes.enclosure import ACCOUNT_NAME
from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, JOB, SERVICE, Thing
from previewbot.adapters.kubernetes.names import object_name
from previewbot.adapters.kubernetes.options import Options
from previewbot.adapters.kubernetes.place import Place
from previewbot.core.model import ServiceSpec

CONTAINER = "app"
PATIENCE = "previewbot.dev/patience"
"""The annotation with the seconds that a pod may take to become ready."""
HEALTH_PATH = "previewbot.dev/health-path"
HEALTH_COMMAND = "previewbot.dev/health-command"
PORT = "previewbot.dev/port"
_PRIVILEGED_PORTS = 1024
_SLACK = 600
"""Seconds that the cluster is given on top, to pull images: previewbot judges by itself."""
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


def service(place: Place, revision: str, spec: ServiceSpec) -> Thing:
    """The address of one service inside the namespace."""
    port = {"name": "main", "port": spec.port, "targetPort": spec.port, "protocol": "TCP"}
    content = {"type": "ClusterIP", "selector": _selector(place, revision, spec), "ports": [port]}
    labels = place.names.labels(place.key, revision, spec.name)
    return place.thing(SERVICE, object_name(spec.name, revision), {"spec": content}, labels=labels)


def deployment(place: Place, revision: str, spec: ServiceSpec, program: Program) -> Thing:
    """The programs of one service."""
    patience = max(1, math.ceil(spec.health.timeout.total_seconds()))
    remarks = {PATIENCE: str(patience)}
    if spec.port is not None:
        remarks[PORT] = str(spec.port)
    if spec.health.command is not None:
        remarks[HEALTH_COMMAND] = spec.health.command[0]
    if spec.health.path is not None:
        remarks[HEALTH_PATH] = spec.health.path
    labels = place.names.labels(place.key, revision, spec.name)
    content = {
        "replicas": spec.replicas,
        "revisionHistoryLimit": 0,
        "progressDeadlineSeconds": patience + _SLACK,
        "selector": {"matchLabels": _selector(place, revision, spec)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": labels, "annotations": remarks}, "spec": _pod(place, spec, program)},
    }
    return place.thing(DEPLOYMENT, object_name(spec.name, revision), {"spec": content}, labels=labels)


def job(place: Place, revision: str, spec: ServiceSpec, program: Program) -> Thing:
    """A program that runs once: never a second time, whatever its end, and not for longer than it may."""
    labels = place.names.labels(place.key, revision, spec.name)
    pod = _pod(place, spec, program) | {"restartPolicy": "Never"}
    content = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": max(1, math.ceil(spec.health.timeout.total_seconds())),
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return place.thing(JOB, object_name(spec.name, revision), {"spec": content}, labels=labels)


def program(place: Place, revision: str, spec: ServiceSpec, program: Program) -> Thing:
    """Whatever runs a service: once, or on and on."""
    return (deployment if spec.kind.stays else job)(place, revision, spec, program)


def _selector(place: Place, revision: str, spec: ServiceSpec) -> dict[str, str]:
    return place.names.labels(None, revision, spec.name)


def _pod(place: Place, spec: ServiceSpec, program: Program) -> dict[str, Any]:
    options = place.options
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if program.user is not None:
        security |= {"runAsUser": program.user, "runAsGroup": program.user, "fsGroup": program.user}
    if spec.port is not None and spec.port < _PRIVILEGED_PORTS:
        security["sysctls"] = [_PORT_SYSCTL]
    pod: dict[str, Any] = {
        "serviceAccountName": ACCOUNT_NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": options.stop_seconds,
        "hostname": spec.name.replace(".", "-"),
        "securityContext": security,
        "containers": [_container(options, spec, program)],
    }
    if program.siblings:
        aliases = sorted((address, name) for name, address in program.siblings.items())
        pod["hostAliases"] = [{"ip": address, "hostnames": [name]} for address, name in aliases]
    if options.runtime_class:
        pod["runtimeClassName"] = options.runtime_class
    return pod


def _container(options: Options, spec: ServiceSpec, program: Program) -> dict[str, Any]:
    sizes = options.sizes
    made: dict[str, Any] = {
        "name": CONTAINER,
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": literal(value)} for name, value in sorted(spec.env.items())],
        "resources": {"limits": sizes.limits(), "requests": sizes.requests()},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if spec.command is not None:
        made["args"] = [literal(each) for each in spec.command]
    if spec.port is not None:
        made["ports"] = [{"name": "main", "containerPort": spec.port, "protocol": "TCP"}]
    if spec.port is not None or spec.health.command is not None:
        made["readinessProbe"] = _probe(spec)
    return made


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
