"""The Secrets of a preview's programs on a real cluster: each belongs to what runs, and goes with it."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from pathlib import Path

import pytest

from previewbot.demo.story import until
from tests.cluster.state import Cluster
from tests.fixtures.cluster_stage import Scene, scene

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

_WEB = "  web: {{build: web, port: 8080, health: /commit.txt, secrets: [{names}]}}\n"
_API = "  api: {build: api, port: 9000, secrets: [SESSION_KEY]}\n"
_SECRETS = "secrets: {SESSION_KEY: {generate: 48}}\n"


def _blueprint(names: str, more: str = "") -> str:
    return f"version: 1\napp: shop\nservices:\n{_WEB.format(names=names)}{more}{_SECRETS if names else ''}"


async def test_a_namespace_holds_the_values_of_what_runs_and_no_others(cluster: Cluster, tmp_path: Path) -> None:
    async with scene(cluster, tmp_path) as made:
        await _set(made, "first")
        visitor = await made.open(blueprint=_blueprint("SESSION_KEY, STRIPE_KEY", _API))
        await made.is_served(visitor)
        (namespace,) = await made.namespaces()
        first = await _values(made, namespace)
        assert {service for service, _ in first} == {"web", "api"}
        assert first["web", "STRIPE_KEY"] == "first"

        await _set(made, "second")
        made.stage.github.comment(made.stage.repository, visitor.pull, "alice", "/redeploy")

        async def has_second() -> bool:
            found = await _values(made, namespace)
            return "second" in found.values() and "first" not in found.values()

        await until("the new value alone is there", has_second, patience=90, pause=0.5)
        await made.is_served(visitor)

        await made.push(visitor.pull, blueprint=_blueprint("SESSION_KEY"))
        await made.is_served(visitor)

        async def has_one() -> bool:
            return set(await _values(made, namespace)) == {("web", "SESSION_KEY")}

        await until("what is not declared any more is gone", has_one, patience=60, pause=0.5)
        await made.push(visitor.pull, blueprint=_blueprint(""))
        await made.is_served(visitor)

        async def has_none() -> bool:
            return not await _values(made, namespace)

        await until("no Secret is left", has_none, patience=60, pause=0.5)


async def _set(made: Scene, value: str) -> None:
    """Set the value as the operator does."""
    config = str(made.stage.folder / "config.yaml")
    command = [sys.executable, "-m", "previewbot", "secrets", "set", "shop", "STRIPE_KEY", "--config", config]
    done = await asyncio.to_thread(subprocess.run, command, input=value, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


async def _values(made: Scene, namespace: str) -> dict[tuple[str, str], str]:
    """Every value in every Secret, by the service and the name; each Secret belongs to something that is there."""
    kinds = ("deployment", "job")
    living = {each["metadata"]["uid"] for kind in kinds for each in await made.get(namespace, kind)}
    found: dict[tuple[str, str], str] = {}
    for each in await made.get(namespace, "secret"):
        about = each["metadata"]
        if {owner["uid"] for owner in about.get("ownerReferences", [])} <= living:
            service = about["labels"]["previewbot.dev/service"]
            found |= {(service, name): base64.b64decode(value).decode() for name, value in each["data"].items()}
        else:  # its owner went a moment ago, and the cluster is about to take it
            found["", about["name"]] = "an orphan"
    return found
