"""A stage with an app on it that has databases and more, on an engine or in a cluster, and what people do there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from previewbot.adapters.kubernetes import Names
from previewbot.core.ids import Key
from previewbot.demo.github.state import Pull, Repository
from previewbot.demo.ground import EngineGround
from previewbot.demo.machine import Say
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import NotSeen, said, until
from tests.cluster.state import Cluster
from tests.stack.family import Family

PATIENCE = 150.0
"""Seconds; a node unpacks the servers' images first, and other tests may keep it from that."""


@dataclass
class Stack:
    """A stage with the app's repository."""

    stage: Stage
    repository: Repository
    files: Mapping[str, str]
    """The app's, by their paths."""
    cluster: Cluster | None
    before: frozenset[str]
    """What an engine had before anything ran: a volume without a label would not be ours to count."""

    async def open(self, **changes: str) -> Pull:
        """Open a pull request, and wait until it is ready; ``words="x"`` changes the file of that name."""
        hub = self.stage.github
        pull = await hub.open_pull(self.repository, author="alice", title="A change", files=_files(changes))
        await self.ready(pull)
        return pull

    async def push(self, pull: Pull, **changes: str) -> None:
        """Push to it."""
        await self.stage.github.push(self.repository, pull, _files(changes))

    async def ready(self, pull: Pull) -> None:
        """Wait until the newest commit is served; an ingress controller hears of a new host a moment later."""
        await self.reads(pull, "**Preview is ready**", pull.sha[:7])
        await until("the URL serves it", lambda: self._serves(pull), patience=10)

    async def run(self, pull: Pull, job: str) -> str:
        """Run a job from the command line, and return what it says."""
        config = str(self.stage.folder / "config.yaml")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "previewbot", "run", f"{self.repository.full_name}#{pull.number}", job, "-c", config,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, wrong = await process.communicate()
        assert process.returncode == 0, wrong.decode()
        return said.decode()

    async def _serves(self, pull: Pull) -> bool:
        with contextlib.suppress(httpx.HTTPStatusError):
            return bool((await self.get(pull, "/commit"))["commit"] == pull.sha)
        return False

    async def reads(self, pull: Pull, *words: str) -> None:
        """Wait until the comment says all of these."""
        try:
            await until("the comment", lambda: said(pull, *words), patience=PATIENCE)
        except NotSeen:
            pytest.fail(f"{words} is not in\n{[each.body for each in pull.comments]}")

    async def get(self, pull: Pull, path: str) -> Any:
        """Ask the preview, as a visitor does."""
        async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
            host = {"Host": f"{self.host(pull)}:{self.stage.door}"}
            answer = await client.get(f"http://127.0.0.1:{self.stage.door}{path}", headers=host)
        return json.loads(answer.raise_for_status().text)

    def host(self, pull: Pull) -> str:
        """The preview's host name."""
        return f"pr-{pull.number}-{self.repository.full_name.rpartition('/')[2]}.localhost"

    async def is_empty(self) -> bool:
        """Whether nothing of any environment is left: of what runs, and of what is secret."""
        kept = json.loads((self.stage.folder / "state" / "secrets.json").read_text())["secrets"]
        if kept or not await self.stage.is_empty():
            return False
        there = await asyncio.to_thread(_everything, self.stage)
        return there <= self.before and not await asyncio.to_thread(self._left_in_cluster)

    def _left_in_cluster(self) -> Sequence[str]:
        """List what is left where namespaces are gone: each kind by itself, and the volumes, which are in none."""
        if not self.cluster:
            return ()
        names = Names(self.stage.instance)
        kinds = "deployments,replicasets,pods,jobs,services,ingresses,secrets,configmaps,persistentvolumeclaims"
        left = self.cluster.kubectl("get", kinds, "--all-namespaces", "-l", names.selector, "-o", "name").split()
        keys = [Key(self.repository.id, number) for number in self.repository.pulls]
        homes = {home for key in keys for home in names.namespaces(key)}
        volumes = json.loads(self.cluster.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
        claims = [each["spec"]["claimRef"] for each in volumes if each["spec"].get("claimRef")]
        return [*left, *(each["name"] for each in claims if each["namespace"] in homes)]


def _files(changes: dict[str, str]) -> dict[str, str | bytes | None]:
    return {{"words": "web/words.txt", "blueprint": "previewbot.yaml"}[name]: text for name, text in changes.items()}


@asynccontextmanager
async def stacked(
    folder: Path, app: str, family: Family, *, cluster: Cluster | None = None, say: Say = print
) -> AsyncIterator[Stack]:
    """Set a stage up on an engine or in a cluster, with the app of that name from ``apps``."""
    tar = await asyncio.to_thread(family.filesystem, say)
    state = None
    if cluster:
        cluster.save(folder)
        state = folder / "state.json"
        await asyncio.to_thread(family.push, cluster.registry, tar)
    async with staged(folder / "stage", say=say, cluster=state) as stage:
        if isinstance(stage.ground, EngineGround):
            await asyncio.to_thread(family.load, stage.ground.engine, tar)
        files = _read(Path(__file__).parent / "apps" / app)
        repository = await stage.github.create_repository(f"acme/{app}", dict(files))
        stage.github.allow(repository, "alice", "write")
        yield Stack(stage, repository, files, cluster, await asyncio.to_thread(_everything, stage))


def _everything(stage: Stage) -> frozenset[str]:
    """Every container, network and volume of an engine, whoever made it."""
    if not isinstance(stage.ground, EngineGround):
        return frozenset()
    client = stage.ground.client()
    try:
        things = [each["Id"] for each in (*client.containers(all=True), *client.networks())]
        return frozenset((*things, *(each["Name"] for each in client.volumes()["Volumes"] or ())))
    finally:
        client.close()


def _read(app: Path) -> Mapping[str, str]:
    return {str(each.relative_to(app)): each.read_text() for each in sorted(app.rglob("*")) if each.is_file()}
