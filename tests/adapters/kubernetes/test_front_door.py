"""Routes in a real cluster, as Ingresses and as HTTPRoutes: what hands change is seen, and put back just as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.kubernetes import Gateway, Routing, drift
from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.routes import kind, name_of
from previewbot.core.ids import Key
from tests.fixtures.kubernetes import OPTIONS, Rig, Weather, rig, weather

pytestmark = pytest.mark.cluster

KEY, HOST, ROUTES = Key(31, 1), "pr-1-door.localhost", {"pr-1-door.localhost": ("web-r1:8080",)}
ROUTINGS = {
    "ingress": Routing(ingress_class="traefik", annotations={"example.com/team": "shop"}),
    "gateway": Routing(gateway=Gateway("public", "gateways"), annotations={"example.com/team": "shop"}),
}
CHANGES: dict[str, dict[str, Any]] = {
    "ingress": {"spec": {"rules": [{"host": "elsewhere.example.com"}]}},
    "gateway": {"spec": {"hostnames": ["elsewhere.example.com"]}},
}
ADDITIONS: dict[str, dict[str, Any]] = {
    "ingress": {"spec": {"tls": [{"hosts": [HOST], "secretName": "theirs"}]}},
    "gateway": {"spec": {"rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": {"port": 443}}]}]}},
}


@pytest.fixture(params=ROUTINGS)
async def door(
    request: pytest.FixtureRequest, kubeconfig: Path, instance: str, tmp_path: Path
) -> AsyncIterator[tuple[str, Rig, Weather]]:
    """The adapters with one environment that has a route, and what lies between them and the cluster."""
    options = replace(OPTIONS, routing=ROUTINGS[request.param])
    async with weather(kubeconfig, tmp_path) as (sky, file), rig(file, instance, options) as made:
        await made.runtime.prepare(KEY, "r1")
        await made.front_door.route(KEY, ROUTES)
        yield request.param, made, sky


async def _found(made: Rig, routing: str) -> Thing:
    found = await made.api.get(kind(ROUTINGS[routing]), await made.namespace(KEY), name_of(HOST))
    assert found
    return found


async def test_what_the_api_server_adds_by_itself_is_no_drift_and_costs_no_write(
    door: tuple[str, Rig, Weather],
) -> None:
    routing, made, sky = door
    found = await _found(made, routing)
    assert not drift.has_drifted(found)
    assert dict(await made.front_door.observe(KEY)) == ROUTES
    before = len(sky.calls)
    await made.front_door.route(KEY, ROUTES)
    assert not [call for call in sky.calls[before:] if call[0] != "GET"]


@pytest.mark.parametrize("hands", ["change", "add"])
async def test_what_hands_do_to_a_route_is_seen_and_put_back(door: tuple[str, Rig, Weather], hands: str) -> None:
    routing, made, _ = door
    before = await _found(made, routing)
    change = (CHANGES if hands == "change" else ADDITIONS)[routing]
    await made.patch(kind(ROUTINGS[routing]), await made.namespace(KEY), name_of(HOST), change)
    found = await _found(made, routing)
    assert found["spec"] != before["spec"]
    made.mirror.note(found)
    assert HOST not in {host: 1 for host, targets in (await made.front_door.observe(KEY)).items() if targets}
    await made.front_door.route(KEY, ROUTES)
    assert (await _found(made, routing))["spec"] == before["spec"]
    assert dict(await made.front_door.observe(KEY)) == ROUTES


async def test_a_route_that_is_deleted_by_hand_comes_back(door: tuple[str, Rig, Weather]) -> None:
    routing, made, _ = door
    found = await _found(made, routing)
    await made.api.delete(found)
    made.mirror.bury(found)
    assert dict(await made.front_door.observe(KEY)) == {}
    await made.front_door.route(KEY, ROUTES)
    assert (await _found(made, routing))["metadata"]["uid"] != found["metadata"]["uid"]
