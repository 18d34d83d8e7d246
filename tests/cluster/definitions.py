"""What a new cluster holds beside Kubernetes's own: the Gateway API, and names by which Traefik is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.cluster import disks
from tests.cluster.box import Box

CLASS = "traefik"
"""The IngressClass, which is the default one, and the GatewayClass."""

GATEWAY = "default/front"
"""The Gateway on which HTTPRoutes of all namespaces may stand."""

Thing = tuple[str, Mapping[str, object] | bytes]
"""An object's path at the API server, and the object or its YAML."""


def kinds(files: Iterable[Path]) -> Iterator[Thing]:
    """The custom resource definitions in files, one each."""
    for each in files:
        text = each.read_bytes()
        if found := re.search(rb"^  name: (\S+)$", text, re.MULTILINE):
            yield f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{found[1].decode()}", text


def front(box: Box) -> Iterator[Thing]:
    """Classes for volumes, Ingresses and Gateways, and one Gateway that listens where Traefik does."""
    yield f"/apis/storage.k8s.io/v1/storageclasses/{disks.CLASS}", disks.storage_class()
    networking, gateways = "networking.k8s.io/v1", "gateway.networking.k8s.io/v1"
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    yield (
        f"/apis/{networking}/ingressclasses/{CLASS}",
        {
            "apiVersion": networking,
            "kind": "IngressClass",
            "metadata": {"name": CLASS, "annotations": default},
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
    )
    yield (
        f"/apis/{gateways}/gatewayclasses/{CLASS}",
        {
            "apiVersion": gateways,
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
    )
    namespace, _, name = GATEWAY.partition("/")
    listener = {
        "name": "web",
        "port": int(box.ingress.rpartition(":")[2]),
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    yield (
        f"/apis/{gateways}/namespaces/{namespace}/gateways/{name}",
        {
            "apiVersion": gateways,
            "kind": "Gateway",
            "metadata": {"name": name},
            "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
        },
    )
