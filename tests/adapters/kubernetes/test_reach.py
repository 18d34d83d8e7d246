"""A release counts as ready once its Services lead to it: before that, a switch to it would drop requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from previewbot.adapters.kubernetes.kinds import SERVICE, SLICE, Thing
from previewbot.adapters.kubernetes.reach import count_reached, without_unreached
from previewbot.adapters.kubernetes.verdicts import Sight
from previewbot.core.ids import Key
from previewbot.core.model import Instance, InstanceState, Observed
from tests.fixtures.engine import BASE, SERVE, release, service
from tests.fixtures.kubernetes import Rig

READY, STARTING, FAILED = InstanceState.READY, InstanceState.STARTING, InstanceState.FAILED
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _slice(service: str, *points: tuple[str, bool]) -> Thing:
    found: list[dict[str, Any]] = [
        {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}} for name, ready in points
    ]
    return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": found or None}


def test_a_service_leads_to_the_pods_that_are_ready_in_its_slices_each_counted_once() -> None:
    two_families = _slice("web", ("a", True), ("b", False)), _slice("web", ("a", True), ("c", True))
    assert count_reached((*two_families, _slice("api"), {"metadata": {}})) == {"web": 2, "api": 0, "": 0}


@pytest.mark.parametrize(
    ("states", "reached", "seen"),
    [
        ([READY, READY], 2, [READY, READY]),
        ([READY, READY], 1, [READY, STARTING]),
        ([READY], 0, [STARTING]),
        ([READY], 3, [READY]),
        ([READY, FAILED, STARTING], 1, [READY, FAILED, STARTING]),
        ([FAILED], 0, [FAILED]),
    ],
)
def test_what_is_ready_and_not_reached_is_still_starting(
    states: list[InstanceState], reached: int, seen: list[InstanceState]
) -> None:
    instances = tuple(Instance("web", index, each) for index, each in enumerate(states))
    found = without_unreached(Sight(instances, NOW), reached)
    assert [each.state for each in found.instances] == seen
    assert found.look_at == NOW


@pytest.mark.cluster
async def test_a_service_that_leads_to_nobody_makes_what_is_behind_it_start(kubernetes: Rig) -> None:
    key = Key(14, 1)
    wanted = release(key, "r1", service("web", SERVE, 8080))
    await kubernetes.runtime.start(wanted, {"base": BASE})
    await kubernetes.until(lambda seen: _states(seen) == [READY], key)
    namespace = await kubernetes.namespace(key)
    assert count_reached((await kubernetes.api.list(SLICE, namespace)).things) == {"web-r1": 1}
    nobody = {"spec": {"selector": {"previewbot.dev/service": "nobody"}}}
    await kubernetes.patch(SERVICE, namespace, "web-r1", nobody)
    await kubernetes.until(lambda seen: _states(seen) == [STARTING], key)
    await kubernetes.runtime.start(wanted, {"base": BASE})
    await kubernetes.until(lambda seen: _states(seen) == [READY], key)


def _states(seen: Observed) -> list[InstanceState]:
    return [instance.state for each in seen.releases for instance in each.instances]
