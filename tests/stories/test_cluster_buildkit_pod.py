"""BuildKit as a pod that only the cluster's API leads to: previews are built there, also after it was killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from previewbot.demo import sample
from previewbot.demo.story import said, until
from tests.cluster.state import Cluster
from tests.fixtures.buildkit_pod import POD, BuildKitPod
from tests.fixtures.cluster_stage import scene

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_a_pod_builds_and_when_it_is_killed_in_the_middle_its_successor_does(
    cluster: Cluster, buildkit_pod: BuildKitPod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREVIEWBOT_BUILDKIT__ADDRESS", buildkit_pod.address)
    monkeypatch.setenv("PREVIEWBOT_REGISTRY__PREFIX", f"{cluster.secure_registry}/previews")
    monkeypatch.setenv("PREVIEWBOT_REGISTRY__PLAIN_HTTP", "false")
    monkeypatch.setenv("PREVIEWBOT_REGISTRY__CA_FILE", f"{cluster.trust}/outside-ca.crt")
    async with scene(cluster, tmp_path) as made:
        visitor = await made.open(greeting="built in a pod\n")
        await made.is_served(visitor)
        before, path = visitor.pull.sha, "web/Dockerfile"
        slow = sample.files()[path].replace("EXPOSE", "RUN sleep 12\nEXPOSE")
        await made.stage.github.push(made.stage.repository, visitor.pull, {path: slow})
        await until("it builds", lambda: _is_at(buildkit_pod, "sleep 12"), patience=60, pause=0.5)
        await asyncio.to_thread(buildkit_pod.kill)
        await asyncio.sleep(5)
        assert await visitor.serves(before), "what runs goes on"
        assert not said(visitor.pull, "failed"), "it is no fault of the commit's"
        await asyncio.to_thread(buildkit_pod.start)
        await made.is_served(visitor, patience=180)


async def _is_at(pod: BuildKitPod, step: str) -> bool:
    """Whether a step of a build runs in there."""
    asked = ("-n", pod.namespace, "exec", POD, "--", "ps")
    return step in await asyncio.to_thread(pod.cluster.kubectl, *asked)
