"""The life of an app with all it can have: databases, a bucket, a queue, a migration; on real Docker and Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from previewbot.demo.github.state import Pull, Repository
from previewbot.demo.ground import EngineGround
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import NotSeen, said, until
from tests.cluster.state import Cluster
from tests.stack import servers

_APP = Path(__file__).with_name("app")
_PATIENCE = 150.0
"""Seconds; a node unpacks the servers' images first, and other tests may keep it from that."""
FILES = {str(each.relative_to(_APP)): each.read_text() for each in sorted(_APP.rglob("*")) if each.is_file()}


class Stack:
    """A stage with the app's repository."""

    def __init__(self, stage: Stage, repository: Repository) -> None:
        self.stage, self.repository = stage, repository

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
            await until("the comment", lambda: said(pull, *words), patience=_PATIENCE)
        except NotSeen:
            pytest.fail(f"{words} is not in\n{[each.body for each in pull.comments]}")

    async def get(self, pull: Pull, path: str) -> Any:
        """Ask the preview, as a visitor does."""
        async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
            host = {"Host": f"pr-{pull.number}-stack.localhost:{self.stage.door}"}
            answer = await client.get(f"http://127.0.0.1:{self.stage.door}{path}", headers=host)
        return json.loads(answer.raise_for_status().text)


def _files(changes: dict[str, str]) -> dict[str, str | bytes | None]:
    return {{"words": "words.txt", "blueprint": "previewbot.yaml"}[name]: text for name, text in changes.items()}


@asynccontextmanager
async def _stack(folder: Path, cluster: Cluster | None) -> AsyncIterator[Stack]:
    tar = await asyncio.to_thread(servers.filesystem, print)
    state = None
    if cluster:
        cluster.save(folder)
        state = folder / "state.json"
        await asyncio.to_thread(servers.push, cluster.registry, tar)
    async with staged(folder / "stage", say=print, cluster=state) as stage:
        if isinstance(stage.ground, EngineGround):
            await asyncio.to_thread(servers.load, stage.ground.engine, tar)
        repository = await stage.github.create_repository("acme/stack", FILES)
        stage.github.allow(repository, "alice", "write")
        yield Stack(stage, repository)


_GROUNDS = [
    pytest.param("docker", marks=pytest.mark.engine),
    pytest.param("kubernetes", marks=pytest.mark.cluster),
]


@pytest.fixture(params=_GROUNDS)
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    cluster = request.getfixturevalue("cluster") if request.param == "kubernetes" else None
    async with _stack(tmp_path, cluster) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_whole_stack_lives_changes_and_is_gone(stack: Stack) -> None:
    """One test for all: what it costs is to start the servers."""
    pull = await stack.open(words="second words")
    log = _log_of(pull)
    assert "migrated" in (stack.stage.folder / "state" / "logs" / f"{log}.log").read_text()
    status = await stack.get(pull, "/status")
    assert status["commit"] == pull.sha
    assert status["items"] == ["apple", "pear"]
    assert status["api"] == {"stock": 2}
    assert (status["visits"], status["migrations"], status["session_key"]) == (1, 1, 48)

    await stack.get(pull, "/work")
    await until("the worker works", lambda: _has_worked(stack, pull), patience=30)
    assert await stack.get(pull, "/buy") == {"painted": None, "ordered": None}
    await until("what was ordered comes", lambda: _has_come(stack, pull), patience=30)

    before = (await stack.get(pull, "/status"))["visits"]
    await stack.push(pull, words="third words")
    await stack.ready(pull)
    status = await stack.get(pull, "/status")
    assert status["words"] == "third words"
    assert (status["worked"], status["visits"], status["migrations"]) == (1, before + 1, 2), "its data stays"
    assert status["items"] == ["apple", "pear"], "filled once"
    assert status["picture"] == ["a cat", "text/plain"]

    done = await stack.run(pull, "restock")
    assert "one more in postgresql://app:•••@db:5432/app" in done
    assert (await stack.get(pull, "/status"))["items"] == ["apple", "pear", "plum"]
    stack.stage.github.comment(stack.repository, pull, "alice", "/run restock")
    wanted = ("**restock** failed: it exits with code 1", "already exists")
    await until("the answer", lambda: _answered(pull, *wanted), patience=30)

    broken = FILES["previewbot.yaml"].replace("shop, migrate", "shop, fail")
    await stack.push(pull, blueprint=broken)
    await stack.reads(pull, "could not be released", "cannot migrate with postgresql://app:•••@db:5432/app")
    assert (await stack.get(pull, "/status"))["words"] == "third words", "the release before goes on serving"

    other = await stack.open(words="other words")
    status = await stack.get(other, "/status")
    assert status["visits"] == 1, "another preview has databases of its own"
    assert "NoSuchKey" in status["picture"], "and a bucket"
    if isinstance(stack.stage.ground, EngineGround):  # the network of the tests' cluster enforces no NetworkPolicy
        own, foreign = (_database(stack.stage.ground, each) for each in (other, pull))
        assert (await stack.get(other, f"/reach/{own}/5432"))["reached"] is True
        assert (await stack.get(other, f"/reach/{foreign}/5432"))["reached"] is not True

    await until("the clock has struck", lambda: _has_ticked(stack, pull), patience=75, pause=1)

    for each in (pull, other):
        stack.stage.github.close(stack.repository, each)
    await until("nothing is left", stack.stage.is_empty, patience=_PATIENCE)
    secrets = stack.stage.folder / "state" / "secrets.json"
    await until("no credential is left", lambda: json.loads(secrets.read_text())["secrets"] == {}, patience=10)


def _log_of(pull: Pull) -> str:
    """The name of the log that the comment links."""
    (comment,) = [each.body for each in pull.comments if "<!-- previewbot:pr-" in each.body]
    return comment.partition("[log](")[2].partition(")")[0].rpartition("/")[2]


def _database(ground: EngineGround, pull: Pull) -> str:
    """The address of a preview's database on its own network."""
    client = ground.client()
    try:
        (found,) = [
            each
            for each in client.containers(filters={"label": ["previewbot.resource=db"]})
            if each["Labels"]["previewbot.key"].endswith(f"-{pull.number}")
        ]
        (network,) = found["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])
    finally:
        client.close()


def _answered(pull: Pull, *words: str) -> bool:
    answers = [each.body for each in pull.comments if "<!-- previewbot:answer:" in each.body]
    return any(all(word in each for word in words) for each in answers)


async def _has_ticked(stack: Stack, pull: Pull) -> bool:
    return bool((await stack.get(pull, "/status"))["ticks"] > 0)


async def _has_come(stack: Stack, pull: Pull) -> bool:
    return bool((await stack.get(pull, "/status"))["fulfilled"] == ["one cat"])


async def _has_worked(stack: Stack, pull: Pull) -> bool:
    return bool((await stack.get(pull, "/status"))["worked"] == 1)
