"""The manifests that bring visitors from a host name to a service: an Ingress each, or an HTTPRoute. Pure.

A route's target is the name and port of a Service, ``web-1a2b3c:8080``: a switch to another release is one write that
the ingress controller takes in at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from previewbot.adapters.kubernetes.kinds import HTTP_ROUTE, INGRESS, Kind, Thing
from previewbot.adapters.kubernetes.options import Gateway, Routing
from previewbot.adapters.kubernetes.place import Place
from previewbot.core.ids import host_label

_ISSUER = "cert-manager.io/cluster-issuer"


def kind(routing: Routing) -> Kind:
    """What routes are made of."""
    return HTTP_ROUTE if routing.gateway else INGRESS


def route(place: Place, host: str, target: str) -> Thing:
    """Bring one host to one target."""
    service, _, port = target.rpartition(":")
    gateway = place.options.routing.gateway
    if gateway:
        return _http_route(place, gateway, host, (service, int(port)))
    return _ingress(place, host, (service, int(port)))


def name_of(host: str) -> str:
    """Name what brings a host to its service."""
    return host_label(host.replace(".", "-"))


def read(thing: Thing) -> Mapping[str, tuple[str, ...]]:
    """Read what ``route`` wrote: host to targets."""
    spec = thing["spec"]
    if thing["kind"] == HTTP_ROUTE.name:
        backends = [each for rule in spec.get("rules", ()) for each in rule.get("backendRefs", ())]
        targets = tuple(sorted(f"{each['name']}:{each.get('port')}" for each in backends))
        return dict.fromkeys(spec.get("hostnames", ()), targets)
    return {rule.get("host", "*"): _targets(rule) for rule in spec.get("rules", ())}


def _targets(rule: Mapping[str, Any]) -> tuple[str, ...]:
    paths = (rule.get("http") or {}).get("paths", ())
    services = [each["backend"]["service"] for each in paths if "service" in each.get("backend", {})]
    return tuple(sorted(f"{each['name']}:{each['port'].get('number')}" for each in services))


def _ingress(place: Place, host: str, target: tuple[str, int]) -> Thing:
    routing = place.options.routing
    remarks = dict(routing.annotations)
    backend = {"service": {"name": target[0], "port": {"number": target[1]}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec: dict[str, Any] = {"rules": [{"host": host, "http": {"paths": [path]}}]}
    if routing.ingress_class:
        spec["ingressClassName"] = routing.ingress_class
    if routing.cluster_issuer:
        remarks[_ISSUER] = routing.cluster_issuer
        spec["tls"] = [{"hosts": [host], "secretName": f"{name_of(host)}-tls"}]
    elif routing.tls_secret:
        spec["tls"] = [{"hosts": [host], "secretName": routing.tls_secret}]
    return place.thing(INGRESS, name_of(host), {"metadata": _remarks(remarks), "spec": spec})


def _http_route(place: Place, gateway: Gateway, host: str, target: tuple[str, int]) -> Thing:
    parent = {"group": HTTP_ROUTE.group, "kind": "Gateway", "name": gateway.name, "namespace": gateway.namespace}
    if gateway.section:
        parent["sectionName"] = gateway.section
    backend = {"group": "", "kind": "Service", "name": target[0], "port": target[1], "weight": 1}
    match = {"path": {"type": "PathPrefix", "value": "/"}}
    rules = [{"matches": [match], "backendRefs": [backend]}]
    spec = {"parentRefs": [parent], "hostnames": [host], "rules": rules}
    remarks = _remarks(place.options.routing.annotations)
    return place.thing(HTTP_ROUTE, name_of(host), {"metadata": remarks, "spec": spec})


def _remarks(annotations: Mapping[str, str]) -> dict[str, Any]:
    return {"annotations": dict(annotations)} if annotations else {}
