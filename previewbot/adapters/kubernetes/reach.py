"""Which pods a Service leads to. Pure.

A pod that is ready is not yet one that visitors reach: the cluster enters it into the Service's EndpointSlices a moment
later, or seconds later where it has much to do. An ingress controller that is led to a Service without endpoints
answers that there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.verdicts import Sight
from previewbot.core.model import InstanceState

_OF = "kubernetes.io/service-name"


def count_reached(slices: Iterable[Thing]) -> Mapping[str, int]:
    """Count the pods that each Service leads to, by its name; a pod with two addresses is one."""
    found: dict[str, set[str]] = {}
    for each in slices:
        service = (each["metadata"].get("labels") or {}).get(_OF, "")
        ready = (point for point in each.get("endpoints") or () if (point.get("conditions") or {}).get("ready"))
        names = ((point.get("targetRef") or {}).get("name", "") for point in ready)
        found.setdefault(service, set()).update(names)
    return {service: len(names) for service, names in found.items()}


def without_unreached(sight: Sight, reached: int) -> Sight:
    """Take those instances of a service for starting that are ready and that its Service does not lead to yet."""
    kept = []
    for each in sight.instances:
        is_ready = each.state is InstanceState.READY
        kept.append(replace(each, state=InstanceState.STARTING) if is_ready and reached <= 0 else each)
        reached -= is_ready
    return Sight(tuple(kept), sight.look_at)
