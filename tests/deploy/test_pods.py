"""previewbot as a pod: the whole story, told to what its own Dockerfile and chart made of it."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from previewbot.demo import sample
from previewbot.demo.github.state import Pull
from previewbot.demo.story import NotSeen, Story, Visitor, deployed, said, until
from tests.cluster.state import Cluster
from tests.deploy.installed import Installed, installed, relayed

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


_REST = 2.0
"""Seconds after which whoever was at work is at rest, and does not take the next delivery's work from its receiver."""


async def test_the_whole_story_passes_with_previewbot_as_a_pod(
    cluster: Cluster, previewbot_image: str, tmp_path: Path
) -> None:
    async with installed(cluster, previewbot_image, tmp_path) as made:
        (pod,) = await asyncio.to_thread(made.pods)
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        await _tell(made)
        assert await asyncio.to_thread(_doctor, made) == set()
        await _refuses_a_second(made)


@pytest.mark.postgres
async def test_two_replicas_share_the_work_and_one_ends_what_the_other_was_killed_in(
    cluster: Cluster, previewbot_image: str, postgres_url: str, tmp_path: Path
) -> None:
    address, _, database = postgres_url.rpartition("@")[2].partition("/")
    async with relayed(cluster.outside, address) as port:
        url = f"postgresql+psycopg://postgres@{cluster.outside}:{port}/{database}"
        secrets_too = {"database": {"url": url}}
        more = {"replicas": 2, "secrets": {"database": "database"}}
        async with installed(cluster, previewbot_image, tmp_path, secrets_too, reaches=[port], **more) as made:
            first, second = await asyncio.to_thread(made.pods)
            both = {each["metadata"]["name"] for each in (first, second)}
            pulls = await _open_until_all_work(made, both)
            building = await _open(made, ("web/Dockerfile", "EXPOSE", "RUN sleep 6\nEXPOSE"))
            await until("a build", lambda: said(building, "**Building**"))
            await _kill_its_pod(made, building)
            await _is_served_once(made, building)
            starting = await _open(made, ("web/start.sh", "exec httpd", "sleep 8\nexec httpd"))
            await until("its programs start", lambda: _has_programs(made, starting), patience=60)
            started = await _programs(made, starting)
            await _kill_its_pod(made, starting)
            for pull in (*pulls, building, starting):
                await _is_served_once(made, pull)
            assert await _programs(made, starting) == started, "what the killed one started is not started again"
            for pull in (*pulls, building, starting):
                made.stage.github.close(made.stage.repository, pull)
            await until("nothing is left", made.stage.is_empty, patience=120)


async def _kill_its_pod(made: Installed, pull: Pull) -> None:
    """Kill the only pod that has done anything for a pull request, while it is at it."""
    busy = _works(made, _key(made, pull))
    assert len(busy) == 1
    await asyncio.to_thread(made.kubectl, "delete", "pod", *busy, "--grace-period=0", "--force")


async def _programs(made: Installed, pull: Pull) -> dict[str, str]:
    """The Deployments of a pull request: name to id and to how often it was changed."""
    mine = f"previewbot.dev/instance={made.name},previewbot.dev/key={_key(made, pull)}"
    listed = await asyncio.to_thread(
        made.cluster.kubectl, "get", "deployments", "--all-namespaces", "-l", mine, "-o", "json"
    )
    found = [each["metadata"] for each in json.loads(listed)["items"]]
    return {each["name"]: f"{each['uid']} {each['generation']}" for each in found}


async def _has_programs(made: Installed, pull: Pull) -> bool:
    return len(await _programs(made, pull)) == 2


def _key(made: Installed, pull: Pull) -> str:
    return f"pr-{made.stage.repository.id}-{pull.number}"


async def _open(made: Installed, change: tuple[str, str, str] | None = None) -> Pull:
    """Open a pull request; ``change`` is a file of it, and what in it becomes what."""
    files: dict[str, str | bytes | None] = {sample.GREETING: f"{secrets.token_hex(4)}\n"}
    if change:
        path, before, after = change
        assert before in sample.files()[path]
        files[path] = sample.files()[path].replace(before, after)
    return await made.stage.github.open_pull(made.stage.repository, author="alice", title="One more", files=files)


async def _open_until_all_work(made: Installed, pods: set[str]) -> list[Pull]:
    """Open pull requests until each pod has done something for one: whoever takes a delivery mostly does."""
    pulls: list[Pull] = []
    while _works(made, "pr-") != pods:
        assert len(pulls) < 6, made.said()
        pulls.append(await _open(made))
        await _is_served_once(made, pulls[-1])
        await asyncio.sleep(_REST)
    return pulls


def _works(made: Installed, env: str) -> set[str]:
    """The pods that have done something for environments whose key begins so."""
    lines = [line for line in made.said().splitlines() if '"event": "action"' in line and f'"env": "{env}' in line]
    return {line.partition("/")[2].partition("/")[0] for line in lines}


async def _is_served_once(made: Installed, pull: Pull) -> None:
    """Its URL serves its commit, one comment says so, and its deployment was made once and has succeeded once."""
    visitor = Visitor(made.stage, pull)
    # A lease that its holder was killed with lapses after a minute.
    await until(f"pull request {pull.number} is served", lambda: visitor.serves(pull.sha), patience=120)
    await until("the comment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))
    await until("the deployment", lambda: deployed(made.stage, pull.sha, "success"))
    (deployment,) = [each for each in made.stage.repository.deployments if each.sha == pull.sha]
    assert [each.state for each in deployment.statuses].count("success") == 1


async def _refuses_a_second(made: Installed) -> None:
    """Where somebody scales what works with SQLite, the second says why it does not start, and the first goes on."""
    (first,) = await asyncio.to_thread(made.pods)
    await asyncio.to_thread(made.kubectl, "scale", f"deployment/{made.name}", "--replicas=2")
    told = "another previewbot works with /var/lib/previewbot/previewbot.db; stop it first"
    await until("the second refuses", lambda: told in made.said(), patience=30, pause=0.5)
    ready = {each["metadata"]["name"]: _is_ready(each) for each in await asyncio.to_thread(made.pods)}
    assert ready.pop(first["metadata"]["name"])
    assert list(ready.values()) == [False]


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])


async def _tell(made: Installed) -> None:
    story = Story(made.stage, Console(width=120))
    try:
        await story.tell()
    except NotSeen as missing:
        pytest.fail(f"not seen: {missing}\n{await asyncio.to_thread(made.said)}")


def _doctor(made: Installed) -> set[str]:
    """What the doctor finds wrong in the pod."""
    ask = "previewbot doctor --json --config /etc/previewbot/config/previewbot.yaml || true"
    found = json.loads(made.kubectl("exec", f"deployment/{made.name}", "--", "sh", "-c", ask))
    return {each["name"] for each in found if not each["ok"]}
