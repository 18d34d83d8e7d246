"""How much one environment may have, and whether a release fits in it at all. Pure.

A blueprint has up to twenty services and twenty resources, and a release stands beside its predecessor for a while:
the usual quota holds that twice, with some replicas, and with the runs of jobs that are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction

from previewbot.adapters.kubernetes.options import Options, Sizes, cpu, memory
from previewbot.core.model import ReleaseSpec, ServiceSpec

_PROGRAMS = 100
_COUNTS: Mapping[str, str] = {
    "pods": str(_PROGRAMS),
    "services": "100",
    "services.nodeports": "0",
    "services.loadbalancers": "0",
    "secrets": "200",
    "configmaps": "20",
    "persistentvolumeclaims": "40",
    "count/deployments.apps": "100",
    "count/replicasets.apps": "200",
    "count/jobs.batch": "1200",
    "count/cronjobs.batch": "0",
    "count/ingresses.networking.k8s.io": "50",
    "requests.storage": "40Gi",
}
_UNITS = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_TENS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?")


def quota(options: Options) -> dict[str, str]:
    """What one environment may have, as a ResourceQuota's ``hard``: the usual, and over it the operator's own."""
    return {**_COUNTS, **_compute(options.sizes), **options.quota}


def _compute(sizes: Sizes) -> dict[str, str]:
    """So much CPU and memory that the number of programs is the limit, unless some ask for more than usual."""
    cpus = {"limits.cpu": sizes.cpu, "requests.cpu": sizes.cpu_request}
    memories = {"limits.memory": sizes.memory, "requests.memory": sizes.memory_request}
    return {name: cpu(float(read_quantity(each) * _PROGRAMS)) for name, each in cpus.items()} | {
        name: memory(int(read_quantity(each) * _PROGRAMS)) for name, each in memories.items()
    }


def excess(release: ReleaseSpec, options: Options) -> str | None:
    """Say what of a release is more than one environment may have, even where nothing else is in it."""
    hard, found = quota(options), []
    for name, needed, said in _needs(release, options):
        with suppress(ValueError):  # the API server refuses such a quota itself
            if name in hard and needed > read_quantity(hard[name]):
                found.append(f"{said}, and one preview may have {hard[name]}")
    return f"it asks for {'; for '.join(found)} (`kubernetes.quota`)" if found else None


def _needs(release: ReleaseSpec, options: Options) -> Sequence[tuple[str, Fraction, str]]:
    staying = [each for each in release.services if each.kind.stays]
    programs = sum(each.replicas for each in staying)
    cores = sum(read_quantity(_sizes(each, options).cpu) * each.replicas for each in staying)
    space = sum(read_quantity(_sizes(each, options).memory) * each.replicas for each in staying)
    return (
        ("pods", Fraction(programs), f"{programs} programs at once"),
        ("limits.cpu", Fraction(cores), f"{cpu(float(cores))} CPU"),
        ("limits.memory", Fraction(space), f"{memory(int(space))} of memory"),
    )


def _sizes(service: ServiceSpec, options: Options) -> Sizes:
    size = service.size
    return options.sizes if size is None else Sizes(cpu=cpu(size.cpu), memory=memory(size.memory))


def read_quantity(text: str) -> Fraction:
    """Read an amount as the API server does: ``500m``, ``16``, ``2Gi``, ``1e3``; raises ``ValueError``."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is no quantity")
    unit = found[2] or ""
    factor = Fraction(1024) ** _UNITS[unit] if unit in _UNITS else Fraction(10) ** _TENS[unit]
    return Fraction(found[1].rstrip(".") or "0") * factor * Fraction(10) ** int(found[3] or 0)
