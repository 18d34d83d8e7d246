"""What policies allow: who is closed at all, and what each rule opens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.fence.policies import ANYWHERE, Direction, Opening, Pod, Ports, World, selects
from tests.cluster.fence.table import render

WEB = Pod("shop", "10.60.0.2", {"app": "web"}, {("TCP", "http"): 8080})
DB = Pod("shop", "10.60.0.3", {"app": "db"}, {("TCP", "sql"): 5432})
BLOG = Pod("blog", "10.60.0.4", {"app": "web"}, {("TCP", "http"): 9000})
NAMESPACES = {"shop": {"name": "shop", "team": "a"}, "blog": {"name": "blog"}}


def _world(*specs: dict[str, Any], namespace: str = "shop") -> World:
    about = {"namespace": namespace, "name": "a policy"}
    return World([WEB, DB, BLOG], NAMESPACES, [{"metadata": about, "spec": each} for each in specs])


def _in(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": list(rules), **more}


def _out(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": list(rules)}


def _nets(world: World, pod: Pod, direction: Direction) -> set[str]:
    return {net for each in world.openings(pod, direction) or () for net in each.networks}


def test_a_pod_that_no_policy_selects_is_open() -> None:
    world = _world(_in(podSelector={"matchLabels": {"app": "db"}}))
    assert world.openings(WEB, Direction.INGRESS) is None
    assert world.openings(DB, Direction.INGRESS) == ()


def test_a_policy_closes_its_own_namespace_and_the_directions_that_it_names() -> None:
    world = _world(_in())
    assert world.openings(BLOG, Direction.INGRESS) is None
    assert world.openings(WEB, Direction.EGRESS) is None
    assert world.openings(WEB, Direction.INGRESS) == ()


@pytest.mark.parametrize(("spec", "closed"), [({}, False), ({"egress": []}, True)])
def test_without_types_ingress_is_closed_and_egress_where_it_is_written_of(spec: dict[str, Any], closed: bool) -> None:
    world = _world({"podSelector": {}, **spec})
    assert world.openings(WEB, Direction.INGRESS) == ()
    assert (world.openings(WEB, Direction.EGRESS) is not None) == closed


@pytest.mark.parametrize("rule", [{}, {"from": []}])
def test_a_rule_without_peers_lets_everybody_in(rule: dict[str, Any]) -> None:
    assert _world(_in(rule)).openings(WEB, Direction.INGRESS) == (Opening((ANYWHERE,)),)


def test_policies_add_up() -> None:
    near: dict[str, Any]
    near, far = {"from": [{"podSelector": {}}]}, {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    assert _nets(_world(_in(near), _in(far)), WEB, Direction.INGRESS) == {
        "10.60.0.2/32",
        "10.60.0.3/32",
        "192.0.2.0/24",
    }


_PEERS = {
    "pods of the policy's own namespace": ({"podSelector": {"matchLabels": {"app": "web"}}}, [WEB]),
    "all pods of namespaces": ({"namespaceSelector": {"matchLabels": {"name": "blog"}}}, [BLOG]),
    "all pods of all namespaces": ({"namespaceSelector": {}}, [WEB, DB, BLOG]),
    "some pods of some namespaces": (
        {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"app": "db"}}},
        [DB],
    ),
    "nobody": ({"namespaceSelector": {"matchLabels": {"name": "gone"}}}, []),
}


@pytest.mark.parametrize(("peer", "meant"), _PEERS.values(), ids=_PEERS)
@pytest.mark.parametrize("direction", Direction)
def test_a_peer_is(peer: dict[str, Any], meant: list[Pod], direction: Direction) -> None:
    world = _world(_in({"from": [peer]}) if direction is Direction.INGRESS else _out({"to": [peer]}))
    assert _nets(world, WEB, direction) == {f"{each.address}/32" for each in meant}


def test_a_block_leaves_out_what_it_bars() -> None:
    block = {"ipBlock": {"cidr": ANYWHERE, "except": ["10.0.0.0/8", "172.16.0.0/12"]}}
    opened = _world(_out({"to": [block, {"ipBlock": {"cidr": "::/0"}}]})).openings(WEB, Direction.EGRESS)
    assert opened == (Opening((ANYWHERE,), ("10.0.0.0/8", "172.16.0.0/12")),)


def test_ports_are_numbers_ranges_or_all_of_a_protocol() -> None:
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 8000, "endPort": 8010}, {"protocol": "SCTP"}]
    (opened,) = _world(_out({"ports": ports})).openings(WEB, Direction.EGRESS) or ()
    assert opened.ports == (Ports("UDP", 53, 53), Ports("TCP", 8000, 8010), Ports("SCTP"))


def test_a_named_port_is_that_of_whom_the_traffic_goes_to() -> None:
    named = {"ports": [{"port": "http"}]}
    (entered,) = _world(_in(named)).openings(WEB, Direction.INGRESS) or ()
    assert entered.ports == (Ports("TCP", 8080, 8080),)
    left = _world(_out({**named, "to": [{"namespaceSelector": {}}]})).openings(DB, Direction.EGRESS)
    assert left == (
        Opening(("10.60.0.2/32",), (), (Ports("TCP", 8080, 8080),)),
        Opening(("10.60.0.4/32",), (), (Ports("TCP", 9000, 9000),)),
    )


def test_a_port_whose_name_nobody_knows_opens_nothing() -> None:
    assert _world(_in({"ports": [{"port": "sql"}]})).openings(WEB, Direction.INGRESS) == ()


_EXPRESSIONS = [
    ("In", ["web", "api"], True), ("In", ["api"], False), ("NotIn", ["api"], True), ("NotIn", ["web"], False),
    ("Exists", [], True), ("DoesNotExist", [], False),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "values", "holds"), _EXPRESSIONS)
def test_an_expression_selects(operator: str, values: list[str], holds: bool) -> None:
    said = {"key": "app", "operator": operator, **({"values": values} if values else {})}
    assert selects({"matchExpressions": [said]}, WEB.labels) is holds


def test_what_is_missing_is_in_no_list() -> None:
    assert not selects({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a"]}]}, WEB.labels)
    assert selects({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, WEB.labels)


def test_the_table_refuses_whom_it_does_not_know_and_lets_out_what_is_open() -> None:
    block = {"ipBlock": {"cidr": ANYWHERE, "except": ["10.0.0.0/8", "10.60.0.0/16"]}}
    lines = [
        each.strip()
        for each in render(_world(_out({"to": [block], "ports": [{"port": 443}]})), "10.60.0.0/24").split("\n")
    ]
    start = lines.index("chain from-10.60.0.2 {")
    assert lines[start + 1 : start + 5] == [
        "ip daddr 10.60.0.2 return",
        "ip daddr != { 10.0.0.0/8 } tcp dport 443 return",
        "reject with icmpx type admin-prohibited",
        "}",
    ]
    verdicts = "10.60.0.2 : goto from-10.60.0.2, 10.60.0.3 : goto from-10.60.0.3, 10.60.0.4 : return"
    at = lines.index(f"ip saddr vmap {{ {verdicts} }}")
    assert lines[at + 1] == "meta nfproto ipv4 reject with icmpx type admin-prohibited"
