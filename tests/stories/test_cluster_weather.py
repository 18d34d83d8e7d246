"""A cluster whose API is away, refuses, is slow or dies: the whole previewbot ends right once the weather clears.

All of it goes through a proxy (``tests.fixtures.kubernetes``) that previewbot takes for the API server, but for the
last test, which kills the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from previewbot.demo.github.state import Pull
from previewbot.demo.story import Visitor, said, until
from tests.cluster import mortality
from tests.cluster.state import Cluster
from tests.fixtures.cluster_stage import Scene, scene
from tests.fixtures.kubernetes import Weather, weather

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

_AWAY = 20.0
"""Seconds: longer than a look waits, and than several of the pauses between two tries."""
_BLUEPRINT = """\
version: 1
app: shop
services:
  web: {build: web, port: 8080, health: /commit.txt, secrets: [SESSION_KEY]}
  chore: {kind: job, build: api, command: [sh, -c, "echo done"]}
secrets: {SESSION_KEY: {generate: 48}}
"""
_WRITES: tuple[tuple[tuple[str, str], ...], ...] = (
    (("POST", "namespaces"), ("PATCH", "resourcequotas"), ("DELETE", "deployments")),
    (("PATCH", "serviceaccounts"), ("PATCH", "services"), ("DELETE", "services")),
    (("PATCH", "networkpolicies"), ("PATCH", "secrets"), ("DELETE", "jobs")),
    (("PATCH", "limitranges"), ("PATCH", "deployments"), ("DELETE", "ingresses")),
    (("PATCH", "jobs"), ("PATCH", "ingresses"), ("PATCH", "namespaces"), ("DELETE", "namespaces")),
)
"""Every write that a life is made of, shared out so that no environment meets more than a few that fail.

Pods are left out: whether previewbot deletes one, or the cluster was faster, is a matter of luck.
"""


@pytest.fixture
async def outdoors(cluster: Cluster, tmp_path: Path) -> AsyncIterator[tuple[Scene, Weather]]:
    """A stage whose previewbot meets the weather."""
    (tmp_path / "proxy").mkdir()
    async with (
        weather(Path(cluster.kubeconfig), tmp_path / "proxy") as (sky, kubeconfig),
        scene(cluster, tmp_path, kubeconfig) as made,
    ):
        yield made, sky
        sky.is_away, sky.delay = False, 0.0
        sky.answers.clear()


async def test_an_api_that_was_away_for_a_while_is_made_up_for(outdoors: tuple[Scene, Weather]) -> None:
    made, sky = outdoors
    kept, closed = await made.open(greeting="one\n"), await made.open(greeting="two\n")
    for each in (kept, closed):
        await made.is_served(each)
    before = kept.pull.sha
    await _leave(sky)
    await made.push(kept.pull, greeting="three\n")
    made.stage.github.close(made.stage.repository, closed.pull)
    await asyncio.sleep(_AWAY)
    assert await kept.serves(before), "what runs goes on"
    assert not any(said(each.pull, word) for each in (kept, closed) for word in ("failed", "**Preview removed**"))
    sky.is_away = False
    await made.is_served(kept)
    await made.reads(closed.pull, "**Preview removed**", "checked gone")
    assert await made.namespaces() == [await _home(made, kept.pull)]
    await _leave(sky)
    made.stage.github.close(made.stage.repository, kept.pull)
    await asyncio.sleep(3)
    sky.is_away = False
    await made.is_gone(kept.pull)


@pytest.mark.parametrize("status", [409, 429, 500])
async def test_each_write_may_be_answered_with_an_error(outdoors: tuple[Scene, Weather], status: int) -> None:
    made, sky = outdoors
    number = max((each.number for each in made.stage.repository.pulls.values()), default=0) + 1
    for offset, writes in enumerate(_WRITES):
        for method, kind in writes:
            _fail(sky, method, kind, number=number + offset, status=status)
    visitors = [await made.open(blueprint=_BLUEPRINT, greeting=f"{place}\n") for place, _ in enumerate(_WRITES)]
    await _are_served(made, visitors)
    for each in visitors:
        await made.push(each.pull, greeting="again\n")
    await _are_served(made, visitors)
    for each in visitors:
        made.stage.github.close(made.stage.repository, each.pull)
    for each in visitors:
        await made.reads(each.pull, "**Preview removed**", "checked gone", patience=180)
    assert await made.stage.is_empty()
    assert not sky.answers, "each of them was met"


async def test_an_api_that_answers_slowly_only_makes_it_slow(outdoors: tuple[Scene, Weather]) -> None:
    made, sky = outdoors
    sky.delay = 1.0
    visitor = await made.open(blueprint=_BLUEPRINT)
    await made.is_served(visitor)
    made.stage.github.close(made.stage.repository, visitor.pull)
    await made.is_gone(visitor.pull, patience=180)


async def test_the_api_server_dies_in_the_middle_of_a_deploy(cluster: Cluster, tmp_path: Path) -> None:
    async with scene(cluster, tmp_path) as made:
        visitor = await made.open(greeting="one\n")
        await made.is_served(visitor)
        await made.push(visitor.pull, greeting="two\n")
        await until("a second release", lambda: _has_deployments(made, 4))
        await asyncio.to_thread(mortality.kill, cluster, "apiserver")
        await asyncio.sleep(3)
        await asyncio.to_thread(mortality.start_api_server, cluster)
        await made.is_served(visitor)
        await until("one release", lambda: _has_deployments(made, 2))
        made.stage.github.close(made.stage.repository, visitor.pull)
        await made.is_gone(visitor.pull)


async def _leave(sky: Weather) -> None:
    sky.is_away = True
    sky.cut()


def _fail(sky: Weather, method: str, kind: str, *, number: int, status: int) -> None:
    """Have one write to one environment answered with an error."""
    inside = f"/namespaces/preview-pr-{number}-"

    def meets(asked: str, path: str) -> bool:
        if kind == "namespaces":
            bare = path.partition("?")[0]
            return asked == method and (bare.endswith("/namespaces") or (inside in path and bare.count("/") == 4))
        return asked == method and inside in path and f"/{kind}/" in path

    sky.answers.append((meets, status, {"Retry-After": "1"}))


async def _are_served(made: Scene, visitors: list[Visitor]) -> None:
    for each in visitors:
        await made.is_served(each, patience=180)


async def _home(made: Scene, pull: Pull) -> str:
    (found,) = [each for each in await made.namespaces() if each.startswith(f"preview-pr-{pull.number}-")]
    return found


async def _has_deployments(made: Scene, count: int) -> bool:
    return (await made.stage.things())["deployments"] == count
