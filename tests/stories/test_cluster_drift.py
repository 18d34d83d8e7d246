"""What somebody changes by hand in a cluster is put back within seconds by the whole previewbot, and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from previewbot.demo.story import Visitor, until
from tests.cluster.state import Cluster
from tests.fixtures.cluster_stage import Scene, scene

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

_BLUEPRINT = """\
version: 1
app: shop
services:
  web: {build: web, port: 8080, health: /commit.txt, secrets: [SESSION_KEY]}
  api: {build: api, port: 9000}
  chore: {kind: job, build: api, command: [sh, -c, "echo done"]}
secrets: {SESSION_KEY: {generate: 48}}
"""
_WEB = "previewbot.dev/service=web"
_CHORE = "previewbot.dev/service=chore"
_DEAF = '{"spec":{"template":{"spec":{"containers":[{"name":"app","command":["sleep","1000"]}]}}}}'
_ELSEWHERE = '{"spec":{"rules":[{"host":"elsewhere.example.com"}]}}'
_NOBODY = '{"spec":{"selector":{"previewbot.dev/service":"nobody"}}}'
_LOOSE = '{"spec":{"suspend":false}}'

HANDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a Deployment is scaled": ("deployment", _WEB, ("scale", "--replicas=0")),
    "a Deployment is edited": ("deployment", _WEB, ("patch", "-p", _DEAF)),
    "a Deployment is deleted": ("deployment", _WEB, ("delete",)),
    "a Service is edited": ("service", _WEB, ("patch", "-p", _NOBODY)),
    "a Service is deleted": ("service", _WEB, ("delete",)),
    "an Ingress is edited": ("ingress", "", ("patch", "--type=merge", "-p", _ELSEWHERE)),
    "an Ingress is deleted": ("ingress", "", ("delete",)),
    "a job that waits is begun": ("job", _CHORE, ("patch", "-p", _LOOSE)),
    "a job that waits is deleted": ("job", _CHORE, ("delete",)),
}
"""What is done to which object."""


async def test_what_hands_change_is_put_back_and_counted(cluster: Cluster, tmp_path: Path) -> None:
    async with scene(cluster, tmp_path) as made:
        visitor = await made.open(blueprint=_BLUEPRINT)
        await made.is_served(visitor)
        (namespace,) = await made.namespaces()
        for what, (kind, selector, hands) in HANDS.items():
            await _is_put_back(made, namespace, visitor, (what, kind, selector, hands))
        await _secret_comes_back(made, namespace, visitor)
        made.stage.github.close(made.stage.repository, visitor.pull)
        await made.is_gone(visitor.pull)


async def _is_put_back(
    made: Scene, namespace: str, visitor: Visitor, case: tuple[str, str, str, tuple[str, ...]]
) -> None:
    what, kind, selector, (verb, *how) = case
    (before,) = await made.get(namespace, kind, "-l", selector)
    repairs = await made.repairs()
    await made.kubectl("-n", namespace, verb, kind, before["metadata"]["name"], *how)

    async def is_back() -> bool:
        found = await made.get(namespace, kind, "-l", selector)
        return [_wanted(each) for each in found] == [_wanted(before)]

    await until(f"{what}: it is as before", is_back, patience=30)
    await until(f"{what}: it is served", lambda: visitor.serves(visitor.pull.sha), patience=30)
    await until(f"{what}: it is counted", lambda: _rises(made, repairs), patience=10)
    await made.is_served(visitor)


async def _secret_comes_back(made: Scene, namespace: str, visitor: Visitor) -> None:
    """Nobody misses it until a pod starts: previewbot may not read Secrets, and sees it then."""
    (deployment,) = await made.get(namespace, "deployment", "-l", _WEB)
    name, repairs = deployment["metadata"]["name"], await made.repairs()
    (before,) = [each for each in await made.get(namespace, "secret") if each["metadata"]["name"] == name]
    await made.kubectl("-n", namespace, "delete", "secret", name)
    await made.kubectl("-n", namespace, "delete", "pod", "-l", _WEB, "--wait=false")

    async def is_back() -> bool:
        found = [each for each in await made.get(namespace, "secret") if each["metadata"]["name"] == name]
        return [each["data"] for each in found] == [before["data"]]

    await until("the Secret is as before", is_back, patience=30)
    await until("it is counted", lambda: _rises(made, repairs), patience=10)
    await until("it is served", lambda: _is_up(made, namespace), patience=60)
    await made.is_served(visitor)


async def _rises(made: Scene, repairs: float) -> bool:
    return await made.repairs() > repairs


async def _is_up(made: Scene, namespace: str) -> bool:
    found = await made.get(namespace, "deployment", "-l", _WEB)
    return [each["status"].get("readyReplicas") for each in found] == [1]


def _wanted(thing: dict[str, Any]) -> str:
    """What somebody asked for of an object; addresses and the marks of one copy of it change when it is made anew."""
    spec = {
        name: each for name, each in thing["spec"].items() if name not in ("clusterIP", "clusterIPs", "selector")
    } | ({"selector": thing["spec"]["selector"]} if thing["kind"] == "Service" else {})
    text = json.dumps(spec, sort_keys=True)
    for own in (thing["metadata"]["uid"],):
        text = text.replace(own, "")
    return text
