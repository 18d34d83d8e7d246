"""One preview's share of a cluster: any blueprint twice, a true word where even one is too much."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from previewbot.adapters.kubernetes.options import Options, Sizes
from previewbot.adapters.kubernetes.room import excess, quota, read_quantity
from previewbot.core.blueprint import Blueprint, Build, Hook, Hooks, Kind, Service
from previewbot.core.desire import Address, Basis, present
from previewbot.core.model import ReleaseSpec, Size
from tests.core.facts import COMMIT, PULL

TWENTY = tuple(Service(f"s{each}", build=Build(), port=8080) for each in range(20))


def _release(*services: Service, hook: Hook | None = None) -> ReleaseSpec:
    return present(
        PULL, Blueprint("shop", services, hooks=Hooks(release=hook)), Basis({".": COMMIT}, {}, Address())
    ).release


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(cpu="2", memory="1536Mi", cpu_request="100m", memory_request="1Gi")])
def test_the_usual_share_holds_the_largest_blueprint_twice_beside_its_resources(sizes: Sizes) -> None:
    hard = {name: read_quantity(each) for name, each in quota(Options(sizes=sizes)).items()}
    programs = 2 * 20 + 20
    assert hard["pods"] >= programs + 20, "and a job of each"
    for name, one in [*_named("limits", sizes.limits()), *_named("requests", sizes.requests())]:
        assert hard[name] >= programs * one, name
    assert hard["services"] >= programs
    assert hard["secrets"] >= programs + 2 * 22 + 20 + 1, "of programs and hooks, certificates, and the registry's"
    assert hard["count/deployments.apps"] >= programs
    assert hard["count/jobs.batch"] >= 2 * (20 + 22) + 20 * (50 + 1), "laid ones, hooks, and runs that are kept"
    assert hard["persistentvolumeclaims"] >= 2 * 20
    assert hard["requests.storage"] >= 2 * 20 * read_quantity("1Gi")
    assert excess(_release(*TWENTY), Options(sizes=sizes)) is None


def _named(part: str, sizes: dict[str, str]) -> list[tuple[str, Fraction]]:
    return [(f"{part}.{name}", read_quantity(each)) for name, each in sizes.items() if name != "ephemeral-storage"]


def test_what_the_operator_says_of_a_share_wins() -> None:
    hard = quota(Options(quota={"pods": "7", "requests.nvidia.com/gpu": "0"}))
    assert (hard["pods"], hard["requests.nvidia.com/gpu"], hard["services"]) == ("7", "0", "100")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(quota={"pods": "3"}), "it asks for 4 programs at once, and one preview may have 3"),
        (Options(quota={"limits.cpu": "3500m"}), "it asks for 4 CPU, and one preview may have 3500m"),
        (Options(quota={"limits.memory": "1e9"}), "it asks for 2Gi of memory, and one preview may have 1e9"),
        (Options(quota={"pods": "4", "limits.cpu": "4"}), None),
        (Options(quota={"pods": "many"}), None),
    ],
)
def test_a_release_that_can_never_fit_is_told_in_numbers(options: Options, told: str | None) -> None:
    release = _release(replace(TWENTY[0], replicas=3), TWENTY[1])
    assert excess(release, options) == (f"{told} (`kubernetes.quota`)" if told else None)


def test_a_size_of_its_own_counts_and_what_only_runs_now_and_then_does_not() -> None:
    job = replace(TWENTY[1], kind=Kind.JOB, port=None)
    release = _release(TWENTY[0], job, hook=Hook("s0", ("migrate",)))
    assert excess(release, Options(quota={"pods": "1"})) is None
    large = replace(release, services=tuple(replace(each, size=Size(2.5, 3 * 1024**3)) for each in release.services))
    assert excess(large, Options(quota={"limits.cpu": "2", "limits.memory": "2Gi"})) == (
        "it asks for 2500m CPU, and one preview may have 2; for 3Gi of memory, and one preview may have 2Gi"
        " (`kubernetes.quota`)"
    )


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("16", 16),
        ("500m", Fraction(1, 2)),
        ("2Gi", 2 * 1024**3),
        ("2G", 2 * 10**9),
        ("1.5", Fraction(3, 2)),
        ("1e3", 1000),
    ],
)
def test_amounts_are_read_as_the_api_server_does(text: str, amount: Fraction) -> None:
    assert read_quantity(text) == amount


@pytest.mark.parametrize("text", ["", "many", "1 Gi", "1Gib", "-"])
def test_what_is_no_amount_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        read_quantity(text)
