"""previewbot as a pod: the whole story, told to what its own Dockerfile and chart made of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from previewbot.demo.story import NotSeen, Story, until
from tests.cluster.state import Cluster
from tests.deploy.installed import Installed, installed

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
