"""The manifests of an environment's namespace and of everything that fences it in. Pure: facts in, objects out.

What the API server would add by itself inside a list that it takes as a whole is written out, so that what it keeps
is what was applied (see ``drift``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from previewbot.adapters.kubernetes import handed
from previewbot.adapters.kubernetes.kinds import (
    ACCOUNT,
    LIMIT_RANGE,
    NAMESPACE,
    POLICY,
    QUOTA,
    Thing,
)
from previewbot.adapters.kubernetes.options import PRIVATE_RANGES, PRIVATE_RANGES_6, Network, Options
from previewbot.adapters.kubernetes.place import Place
from previewbot.adapters.kubernetes.room import quota

KINDS = (ACCOUNT, QUOTA, LIMIT_RANGE, POLICY)
"""What fences an environment in is made of."""
ACCOUNT_NAME = "preview"
METADATA_NAME = "kubernetes.io/metadata.name"
_DNS_PORTS = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]


def namespace(place: Place) -> Thing:
    """The namespace itself, under the Pod Security Standard ``restricted``, and what it was handed."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    about: dict[str, Any] = {"name": place.namespace, "labels": place.names.labels(place.key) | levels}
    if marks := handed.marks(place):
        about["annotations"] = marks
    return {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.name, "metadata": about}


def enclosure(place: Place) -> Sequence[Thing]:
    """Everything that has to be in a namespace before a program is."""
    options = place.options
    account: dict[str, Any] = {"automountServiceAccountToken": False}
    if place.handed.pull_secret:
        account["imagePullSecrets"] = [{"name": handed.PULL_SECRET}]
    front_door, dns = _front_door(options), _dns(options.network)
    return [
        place.thing(ACCOUNT, ACCOUNT_NAME, account),
        place.thing(QUOTA, "preview", {"spec": {"hard": quota(options)}}),
        place.thing(LIMIT_RANGE, "preview", {"spec": {"limits": [_limits(options)]}}),
        _policy(place, "default-deny", ingress=[], egress=[]),
        _policy(place, "within", ingress=[{"from": [_ANYBODY]}], egress=[{"to": [_ANYBODY]}]),
        # A rule without peers would let everybody in, or out to everybody.
        _policy(place, "dns", egress=[{"to": dns, "ports": _DNS_PORTS}] if dns else []),
        _policy(place, "front-door", ingress=[{"from": front_door}] if front_door else []),
        _policy(place, "internet", egress=[{"to": _internet(options.network, place.api_server)}]),
    ]


_ANYBODY: dict[str, Any] = {"podSelector": {}}


def _policy(
    place: Place, name: str, *, ingress: list[dict[str, Any]] | None = None, egress: list[dict[str, Any]] | None = None
) -> Thing:
    """A policy for every pod; a direction with an empty list is closed, one that is not given is left alone."""
    given = {"ingress": ingress, "egress": egress}
    spec: dict[str, Any] = dict(_ANYBODY)
    spec["policyTypes"] = [each.title() for each, rules in given.items() if rules is not None]
    return place.thing(POLICY, name, {"spec": spec | {each: rules for each, rules in given.items() if rules}})


def _limits(options: Options) -> dict[str, Any]:
    sizes = options.sizes
    return {
        "type": "Container",
        "default": sizes.limits(),
        "defaultRequest": sizes.requests(),
    }


def _named(namespaces: Sequence[str]) -> list[dict[str, Any]]:
    if not namespaces:
        return []
    among = {"key": METADATA_NAME, "operator": "In", "values": list(namespaces)}
    return [{"namespaceSelector": {"matchExpressions": [among]}}]


def _block(cidr: str, barred: Sequence[str] = ()) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr} | ({"except": list(barred)} if barred else {})}


def _dns(network: Network) -> list[dict[str, Any]]:
    return [*_named(network.dns_namespaces), *map(_block, network.dns_cidrs)]


def _front_door(options: Options) -> list[dict[str, Any]]:
    gateway = options.routing.gateway
    namespaces = (*options.network.ingress_namespaces, *((gateway.namespace,) if gateway else ()))
    return [*_named(sorted(set(namespaces))), *map(_block, options.network.ingress_cidrs)]


def _internet(network: Network, api_server: Sequence[str]) -> list[dict[str, Any]]:
    barred = sorted({*network.denied, *api_server} - {*PRIVATE_RANGES, *PRIVATE_RANGES_6})
    whole = [
        _block("0.0.0.0/0", [*PRIVATE_RANGES, *(each for each in barred if ":" not in each)]),
        _block("::/0", [*PRIVATE_RANGES_6, *(each for each in barred if ":" in each)]),
    ]
    return [*whole, *map(_block, network.allowed)]
