"""The life of an app with all it can have: databases, a bucket, a queue, a migration; on real Docker and Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docker.errors import NotFound

from previewbot.adapters.kubernetes.kinds import POD, SERVICE
from previewbot.adapters.kubernetes.names import INSTANCE, KEY, RESOURCE
from previewbot.core.stages import DESTROY_HOOK
from previewbot.demo.github.state import Pull
from previewbot.demo.ground import ClusterGround, EngineGround
from previewbot.demo.story import until
from tests.fixtures.traces import where
from tests.stack.place import PATIENCE, Stack, stacked
from tests.stack.servers import STACK
from tests.stack.traces import traces

_GROUNDS = [
    pytest.param("docker", marks=pytest.mark.engine),
    pytest.param("kubernetes", marks=pytest.mark.cluster),
]


@pytest.fixture(params=_GROUNDS)
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    cluster = request.getfixturevalue("cluster") if request.param == "kubernetes" else None
    async with stacked(tmp_path, "stack", STACK, cluster=cluster) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_whole_stack_lives_changes_and_is_gone(stack: Stack) -> None:
    """One test for all: what it costs is to start the servers."""
    pull = await stack.open(words="second words")
    log = (stack.stage.folder / "state" / "logs" / f"{_log_of(pull)}.log").read_text()
    assert "migrated postgresql://app:•••@db:5432/app" in log
    assert "migrated postgresql://app:•••@ledger:5432/app" in log, "which only the hook names"
    status = await stack.get(pull, "/status")
    assert status["commit"] == pull.sha
    assert (status["items"], status["ledger"]) == (["apple", "pear"], ["opened"])
    assert status["api"] == {"stock": 2}
    assert (status["visits"], status["session_key"], status["notes"]) == (1, 48, [])
    assert (status["migrations"], status["ledger_migrations"]) == (1, 1)
    assert status["orders"].startswith("http://orders:9324/")

    await stack.get(pull, "/work")
    await until("the worker works", lambda: _has_worked(stack, pull), patience=30)
    assert await stack.get(pull, "/buy") == {"painted": None, "ordered": None, "noted": None}
    await until("what was ordered comes", lambda: _has_come(stack, pull), patience=30)

    before = (await stack.get(pull, "/status"))["visits"]
    await stack.push(pull, words="third words")
    await stack.ready(pull)
    status = await stack.get(pull, "/status")
    assert status["words"] == "third words"
    assert (status["visits"], status["migrations"], status["ledger_migrations"]) == (before + 1, 2, 2), "its data stays"
    assert (status["items"], status["ledger"]) == (["apple", "pear"], ["opened", "asked for"]), "filled once"
    assert (status["picture"], status["notes"]) == (["a cat", "text/plain"], ["sold"])

    await _runs_its_job(stack, pull)

    broken = stack.files["previewbot.yaml"].replace("shop, migrate", "shop, fail")
    await stack.push(pull, blueprint=broken)
    await stack.reads(pull, "could not be released", "cannot migrate with postgresql://app:•••@db:5432/app")
    assert (await stack.get(pull, "/status"))["words"] == "third words", "the release before goes on serving"
    await _tells_nobody(stack, pull)

    other = await stack.open(words="other words")
    status = await stack.get(other, "/status")
    assert status["visits"] == 1, "another preview has databases of its own"
    assert "NoSuchKey" in status["picture"], "and a bucket"
    own, foreign = [await _servers(stack, each) for each in (other, pull)]
    assert len(own) == len(foreign) >= len(PORTS)
    both = sorted(own | foreign)
    reached = await asyncio.gather(*(stack.get(other, f"/reach/{each}") for each in both))
    assert {each for each, found in zip(both, reached, strict=True) if found["reached"] is True} == own

    await _share_no_credential(stack, other, pull)

    await until("the clock has struck", lambda: _has_ticked(stack, pull), patience=75, pause=1)

    stack.stage.github.close(stack.repository, other)
    await until("its last words", lambda: _says_goodbye(stack, other), patience=PATIENCE, pause=0.2)
    stack.stage.github.close(stack.repository, pull)
    await until("nothing is left", stack.is_empty, patience=PATIENCE)


async def _runs_its_job(stack: Stack, pull: Pull) -> None:
    """One that takes seconds: from the command line, and by a comment."""
    done = await stack.run(pull, "restock")
    assert "carried for 0 s" in done
    assert "carried for 5 s" in done
    assert "one more in postgresql://app:•••@db:5432/app" in done
    assert (await stack.get(pull, "/status"))["items"] == ["apple", "pear", "plum"]
    stack.stage.github.comment(stack.repository, pull, "alice", "/run restock")
    wanted = ("**restock** failed: it exits with code 1", "already exists")
    await until("the answer", lambda: _answered(pull, *wanted), patience=30)


async def _tells_nobody(stack: Stack, pull: Pull) -> None:
    """What it was given to know is nowhere but in what declares it."""
    values = (await stack.get(pull, "/credentials")).values()
    left = await asyncio.to_thread(traces, stack)
    assert {name: where(each, among=left) for name, each in enumerate(values)} == {n: [] for n in range(len(values))}
    ground = ("objects",) if stack.cluster else ("containers", "networks", "volumes", "images", "history")
    for name in ("comments", "deployments", "previewbot.log", "state/previewbot.db", "state/secrets.json", *ground):
        assert len(left[name]) > 100, f"{name} tells something"
    assert where("•••", among={"comments": left["comments"]}), "what was said with one in it is shown"


async def _share_no_credential(stack: Stack, one: Pull, other: Pull) -> None:
    """The real ones all differ, and a database takes none but its own."""
    mine, theirs = [await stack.get(each, "/credentials") for each in (one, other)]
    assert all(mine.values())
    assert all(theirs.values())
    assert not set(mine.values()) & set(theirs.values())
    for database, name in (("db", "DATABASE_URL"), ("ledger", "LEDGER_URL")):
        assert (await stack.get(one, f"/login/{database}/{mine[name]}"))["reached"] is True
        refused = (await stack.get(one, f"/login/{database}/{theirs[name]}"))["reached"]
        assert "password authentication failed" in refused


async def _says_goodbye(stack: Stack, pull: Pull) -> bool:
    return "2 items say goodbye with 16 letters" in await asyncio.to_thread(_said_at_the_end, stack, pull)


def _said_at_the_end(stack: Stack, pull: Pull) -> str:
    """What the destroy hook of an environment says while it runs."""
    ground = stack.stage.ground
    key = f"-{pull.number}"
    if isinstance(ground, EngineGround):
        client = ground.client()
        try:
            wanted = {"label": [f"previewbot.service={DESTROY_HOOK}", "previewbot.run"]}
            found = client.containers(all=True, filters=wanted)
            ours = [each["Id"] for each in found if each["Labels"]["previewbot.key"].endswith(key)]
            return "".join(client.logs(each).decode() for each in ours)
        except NotFound:  # just now
            return ""
        finally:
            client.close()
    assert stack.cluster
    chosen = f"previewbot.dev/service={DESTROY_HOOK},previewbot.dev/run"
    where = json.loads(stack.cluster.kubectl("get", "pods", "--all-namespaces", "-l", chosen, "-o", "json"))["items"]
    ours = [each["metadata"] for each in where if each["metadata"]["labels"]["previewbot.dev/key"].endswith(key)]
    with contextlib.suppress(AssertionError):  # not begun yet, or gone just now
        return "".join(stack.cluster.kubectl("logs", "-n", each["namespace"], each["name"]) for each in ours)
    return ""


def _log_of(pull: Pull) -> str:
    """The name of the log that the comment links."""
    (comment,) = [each.body for each in pull.comments if "<!-- previewbot:pr-" in each.body]
    return comment.partition("[log](")[2].partition(")")[0].rpartition("/")[2]


PORTS = {"db": 5432, "ledger": 5432, "cache": 6379, "pictures": 7070, "orders": 9324}
"""Where each of its servers listens."""


async def _servers(stack: Stack, pull: Pull) -> set[str]:
    """Every place at which a preview's servers answer: ``10.0.0.7/5432``."""
    ground = stack.stage.ground
    if isinstance(ground, EngineGround):
        return await asyncio.to_thread(_in_engine, ground, pull)
    assert isinstance(ground, ClusterGround)
    found = set()
    for name, port in PORTS.items():
        asked = f"{INSTANCE}={stack.stage.instance},{KEY}=pr-{stack.repository.id}-{pull.number},{RESOURCE}={name}"
        (pod,) = (await ground.api.list(POD, labelSelector=asked)).things
        (service,) = (await ground.api.list(SERVICE, labelSelector=asked)).things
        found |= {f"{pod['status']['podIP']}/{port}", f"{service['spec']['clusterIP']}/{port}"}
    return found


def _in_engine(ground: EngineGround, pull: Pull) -> set[str]:
    """The same for each on its preview's own network."""
    client = ground.client()
    try:
        found = {
            each["Labels"]["previewbot.resource"]: each["NetworkSettings"]["Networks"].values()
            for each in client.containers(filters={"label": ["previewbot.resource"]})
            if each["Labels"]["previewbot.key"].endswith(f"-{pull.number}")
        }
        return {f"{network['IPAddress']}/{PORTS[name]}" for name, networks in found.items() for network in networks}
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
    return bool((await stack.get(pull, "/status"))["ledger"] == ["opened", "asked for"])
