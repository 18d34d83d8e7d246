"""Which addresses a pod may talk to, and which may talk to it, as NetworkPolicies (networking.k8s.io/v1) say. Pure.

It knows IPv4 alone, which is all that pods here have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]
ANYWHERE = "0.0.0.0/0"


class Direction(StrEnum):
    """The two that a policy may close, in its own words."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with an address; ``ports`` has the numbers of its named ports, by protocol and name."""

    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a protocol from the first to the last; all of them where there is none."""

    protocol: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """Networks but for those that are barred, at these ports; at all of every protocol where none is named."""

    networks: tuple[str, ...]
    barred: tuple[str, ...] = ()
    ports: tuple[Ports, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """All that policies speak of: pods, the labels of the namespaces by their names, and the policies themselves."""

    pods: Sequence[Pod]
    namespaces: Mapping[str, Mapping[str, str]]
    policies: Sequence[Json]

    def openings(self, pod: Pod, direction: Direction) -> tuple[Opening, ...] | None:
        """What is open to a pod in one direction; ``None`` where no policy closes it."""
        closing = [each["spec"] for each in self.policies if _closes(each, pod, direction)]
        if not closing:
            return None
        rules = [rule for spec in closing for rule in spec.get(direction.lower(), ())]
        return _merged(opening for rule in rules for opening in self._open(pod, direction, rule))

    def _open(self, pod: Pod, direction: Direction, rule: Json) -> Iterator[Opening]:
        peers = rule.get("from" if direction is Direction.INGRESS else "to")
        wanted = rule.get("ports", ())
        for opening, peer in self._peers(pod.namespace, peers):
            named = pod.ports if direction is Direction.INGRESS else peer.ports if peer else {}
            ports = tuple(found for each in wanted if (found := _ports(each, named)))
            if ports or not wanted:
                yield Opening(opening.networks, opening.barred, ports)

    def _peers(self, namespace: str, peers: Sequence[Json] | None) -> Iterator[tuple[Opening, Pod | None]]:
        if not peers:
            yield Opening((ANYWHERE,)), None
        for each in peers or ():
            if block := each.get("ipBlock"):
                if ":" not in block["cidr"]:
                    yield Opening((block["cidr"],), tuple(block.get("except", ()))), None
                continue
            for pod in self.pods:
                if self._is_meant(each, namespace, pod):
                    yield Opening((f"{pod.address}/32",)), pod

    def _is_meant(self, peer: Json, namespace: str, pod: Pod) -> bool:
        among = peer.get("namespaceSelector")
        if among is None:
            is_near = pod.namespace == namespace
        else:
            is_near = pod.namespace in self.namespaces and selects(among, self.namespaces[pod.namespace])
        return is_near and selects(peer.get("podSelector", {}), pod.labels)


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector is true of labels; an empty one is true of all."""
    same = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return same and all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, operator = str(expression["key"]), expression["operator"]
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) is (operator == "Exists")
    return (labels.get(key) in tuple(expression["values"])) is (operator == "In")


def _closes(policy: Json, pod: Pod, direction: Direction) -> bool:
    spec = policy["spec"]
    implied = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    is_ours = policy["metadata"]["namespace"] == pod.namespace and selects(spec.get("podSelector", {}), pod.labels)
    return is_ours and direction in spec.get("policyTypes", implied)


def _ports(given: Json, named: Mapping[tuple[str, str], int]) -> Ports | None:
    """The ports of a rule; ``None`` where a name means nothing to whom it is about."""
    protocol, port = given.get("protocol", "TCP"), given.get("port")
    if port is None:
        return Ports(protocol)
    first = named.get((protocol, port)) if isinstance(port, str) else int(port)
    return None if first is None else Ports(protocol, first, int(given.get("endPort", first)))


def _merged(openings: Iterator[Opening]) -> tuple[Opening, ...]:
    """As few as say the same, in an order that does not change."""
    together: dict[tuple[tuple[str, ...], tuple[Ports, ...]], set[str]] = defaultdict(set)
    for each in openings:
        together[each.barred, each.ports].update(each.networks)
    return tuple(sorted((Opening(tuple(sorted(nets)), *about) for about, nets in together.items()), key=repr))
