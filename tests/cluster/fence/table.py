"""What policies allow, as a table of nftables that takes the place of the one before in one step. Pure.

A chain for each pod and direction lets through what is open to it, and refuses the rest. What belongs to a connection
that was let through is, too. What the node itself says to its pods passes no chain here: probes always come through.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, collapse_addresses

from tests.cluster.fence.policies import ANYWHERE, Direction, Opening, Pod, Ports, World

NAME = "fence"
_REFUSE = "reject with icmpx type admin-prohibited"
_FIELD = {Direction.EGRESS: "daddr", Direction.INGRESS: "saddr"}
_CHAIN = {Direction.EGRESS: "from", Direction.INGRESS: "to"}
_TOP = """\
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
    jump from
    jump to
  }
  chain input {
    type filter hook input priority filter
    ct state established,related accept
    jump from
  }"""


def render(world: World, pods: str) -> str:
    """Write the table for all pods of the network ``pods``; one that is not of the world is let through nowhere."""
    lines = [f"table inet {NAME} {{}}", f"delete table inet {NAME}", f"table inet {NAME} {{"]
    for direction in Direction:
        lines += _chains(world, direction, pods)
    return "\n".join([*lines, _TOP, "}", ""])


def _chains(world: World, direction: Direction, pods: str) -> Iterator[str]:
    verdicts = []
    for pod in sorted(world.pods, key=lambda each: each.address):
        openings = world.openings(pod, direction)
        chain = f"{_CHAIN[direction]}-{pod.address}"
        verdicts.append(f"{pod.address} : {'return' if openings is None else f'goto {chain}'}")
        if openings is not None:
            yield from _chain(chain, pod, direction, openings)
    # The other address is the pod's: whose traffic it is, is looked up by that.
    own = "saddr" if direction is Direction.EGRESS else "daddr"
    yield f"  chain {_CHAIN[direction]} {{"
    if direction is Direction.EGRESS:  # pods have no other addresses, and would reach the node by those
        yield f'    iifname "veth*" meta nfproto ipv6 {_REFUSE}'
    yield f"    ip {own} != {pods} return"
    if verdicts:
        yield f"    ip {own} vmap {{ {', '.join(verdicts)} }}"
    yield from (f"    meta nfproto ipv4 {_REFUSE}", "  }")


def _chain(name: str, pod: Pod, direction: Direction, openings: tuple[Opening, ...]) -> Iterator[str]:
    field = _FIELD[direction]
    yield f"  chain {name} {{"
    yield f"    ip {field} {pod.address} return"  # nobody is kept from himself
    for each in openings:
        yield from (f"    {' '.join(filter(None, (_where(each, field), port)))} return" for port in _ports(each.ports))
    yield from (f"    {_REFUSE}", "  }")


def _where(opening: Opening, field: str) -> str:
    said = "" if ANYWHERE in opening.networks else f"ip {field} {_set(opening.networks)}"
    but = f"ip {field} != {_set(opening.barred)}" if opening.barred else ""
    return " ".join(filter(None, (said, but)))


def _set(networks: tuple[str, ...]) -> str:
    """Networks without those that lie in another."""
    return f"{{ {', '.join(map(str, collapse_addresses(map(IPv4Network, networks))))} }}"


def _ports(ports: tuple[Ports, ...]) -> list[str]:
    """One match each; one that is always true where there is none."""
    return [_port(each) for each in ports] or [""]


def _port(ports: Ports) -> str:
    protocol = ports.protocol.lower()
    if ports.first is None:
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {ports.first}" + (f"-{ports.last}" if ports.last != ports.first else "")
