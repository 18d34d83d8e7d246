"""A namespace that the cluster cannot finish deleting: the comment says what holds it, and nobody forces its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.state import Cluster
from tests.fixtures.cluster_stage import scene

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

_HOLD = "example.com/hold"


async def test_what_holds_a_namespace_is_said_until_it_lets_go(cluster: Cluster, tmp_path: Path) -> None:
    async with scene(cluster, tmp_path) as made:
        visitor = await made.open()
        pull, github = visitor.pull, made.stage.github
        await made.is_served(visitor)
        (first,) = await made.namespaces()
        await made.kubectl("-n", first, "create", "configmap", "held")
        await _hold(made.cluster, first, [_HOLD])
        try:
            github.close(made.stage.repository, pull)
            told = (f"`{first}` cannot be finished by the cluster", f"{_HOLD} in 1 resource instances", "configmaps")
            await made.reads(pull, "**Removing", *told, patience=150)
            assert (await made.kubectl("-n", first, "get", "configmap", "held", "-o", "name")).strip(), "never forced"

            github.reopen(made.stage.repository, pull)
            await made.is_served(visitor)
            assert await made.namespaces() == [first, f"{first}-2"], "it is served again beside what is stuck"
            github.close(made.stage.repository, pull)
        finally:
            await _hold(made.cluster, first, None)
        await made.is_gone(pull)


async def _hold(cluster: Cluster, namespace: str, finalizers: list[str] | None) -> None:
    patch = json.dumps({"metadata": {"finalizers": finalizers}})
    cluster.kubectl("-n", namespace, "patch", "configmap", "held", "--type=merge", "-p", patch)
