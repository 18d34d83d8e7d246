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
            slow = await _open(made, "RUN sleep 6")
            await until("a build", lambda: said(slow, "**Building**"))
            busy = _works(made, f"pr-{made.stage.repository.id}-{slow.number}")
            assert len(busy) == 1
            await asyncio.to_thread(made.kubectl, "delete", "pod", *busy, "--grace-period=0", "--force")
            for pull in (*pulls, slow):
                await _is_served_once(made, pull)
            for pull in (*pulls, slow):
                made.stage.github.close(made.stage.repository, pull)
            await until("nothing is left", made.stage.is_empty, patience=120)


async def _open(made: Installed, step: str = "") -> Pull:
    dockerfile = sample.files()["web/Dockerfile"].replace("EXPOSE", f"{step}\nEXPOSE")
    files = {"web/Dockerfile": dockerfile, sample.GREETING: f"{secrets.token_hex(4)}\n"}
    return await made.stage.github.open_pull(made.stage.repository, author="alice", title="One more", files=files)


async def _open_until_all_work(made: Installed, pods: set[str]) -> list[Pull]:
    """Open pull requests until each pod has done something for one: whoever takes a delivery mostly does."""
    pulls: list[Pull] = []
    while _works(made, "pr-") != pods:
        assert len(pulls) < 6, made.said()
        pulls.append(await _open(made))
        await _is_served_once(made, pulls[-1])
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
