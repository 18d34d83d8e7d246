"""What somebody changes by hand is seen on a real API server, put back by the next effect, and only that counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from previewbot.adapters.kubernetes.kinds import (
    DEPLOYMENT,
    LIMIT_RANGE,
    NAMESPACE,
    POLICY,
    QUOTA,
    SERVICE,
    Kind,
    Thing,
)
from previewbot.adapters.kubernetes.names import SEAL
from previewbot.core.ids import Key
from tests.fixtures.engine import SERVE, release, service
from tests.fixtures.kubernetes import OPTIONS, Rig, rig

pytestmark = pytest.mark.cluster

_numbers = count(1)
_DIGESTS = {"base": "localhost/none@sha256:" + "0" * 64}


@pytest.fixture
def key() -> Key:
    return Key(11, next(_numbers))


WEB = service("web", SERVE, 8080, replicas=2)


def _has_drifted(seen: object) -> bool:
    return bool(getattr(seen, "drifted", False)) or any(each.drifted for each in getattr(seen, "releases", ()))


async def test_what_was_applied_is_no_drift_also_for_a_previewbot_that_starts_anew(
    kubernetes: Rig, kubeconfig: Path, key: Key
) -> None:
    bare = replace(service("bare", None), env={})
    await kubernetes.runtime.start(release(key, "r1", WEB, service("worker", None), bare), _DIGESTS)
    await kubernetes.front_door.route(key, {"pr-1.localhost": ("web-r1:8080",)})
    assert not _has_drifted(await kubernetes.runtime.observe(key))
    async with rig(kubeconfig, kubernetes.names.instance, OPTIONS) as again:
        await again.runtime.prepare(key, "r1")
        assert not _has_drifted(await again.runtime.observe(key))
        assert await again.front_door.observe(key) == {"pr-1.localhost": ("web-r1:8080",)}


_EDITS: dict[str, tuple[Kind, str, Thing]] = {
    "scaled": (DEPLOYMENT, "web-r1", {"spec": {"replicas": 5}}),
    "another image": (
        DEPLOYMENT,
        "web-r1",
        {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "evil"}]}}}},
    ),
    "something added": (
        DEPLOYMENT,
        "web-r1",
        {"spec": {"template": {"spec": {"nodeSelector": {"disk": "fast"}}}}},
    ),
    "a service elsewhere": (SERVICE, "web-r1", {"spec": {"selector": {"previewbot.dev/service": "other"}}}),
    "an open door": (POLICY, "default-deny", {"spec": {"ingress": [{}]}}),
    "a larger quota": (QUOTA, "preview", {"spec": {"hard": {"pods": "999"}}}),
    "other limits": (LIMIT_RANGE, "preview", {"spec": {"limits": []}}),
    "less security": (
        NAMESPACE,
        "",
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    ),
}


@pytest.mark.parametrize("edit", _EDITS)
async def test_what_somebody_edits_is_seen_and_put_back(kubernetes: Rig, key: Key, edit: str) -> None:
    kind, name, change = _EDITS[edit]
    wanted = release(key, "r1", WEB)
    await kubernetes.runtime.start(wanted, _DIGESTS)
    namespace = await kubernetes.namespace(key)
    name = name or namespace
    before = await kubernetes.api.get(kind, namespace, name)
    await kubernetes.patch(kind, namespace, name, change)
    await kubernetes.until(_has_drifted, key)
    await kubernetes.runtime.start(wanted, _DIGESTS)
    await kubernetes.until(lambda seen: not _has_drifted(seen), key)
    after = await kubernetes.api.get(kind, namespace, name)
    assert before
    assert after
    assert after.get("spec") == before.get("spec")
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


@pytest.mark.parametrize(
    ("kind", "name"), [(DEPLOYMENT, "web-r1"), (SERVICE, "web-r1"), (POLICY, "internet"), (QUOTA, "preview")]
)
async def test_what_somebody_deletes_is_made_again(kubernetes: Rig, key: Key, kind: Kind, name: str) -> None:
    wanted = release(key, "r1", WEB)
    await kubernetes.runtime.start(wanted, _DIGESTS)
    namespace = await kubernetes.namespace(key)
    found = await kubernetes.api.get(kind, namespace, name)
    assert found
    await kubernetes.api.delete(found)
    await kubernetes.until(lambda _: kubernetes.mirror.find(kind, namespace, name) is None, key)
    seen = await kubernetes.runtime.observe(key)
    assert _has_drifted(seen) or not any(each.instances for each in seen.releases)
    await kubernetes.runtime.start(wanted, _DIGESTS)
    assert await kubernetes.api.get(kind, namespace, name)
    assert not _has_drifted(await kubernetes.runtime.observe(key))


async def test_what_the_cluster_writes_by_itself_is_no_drift(kubernetes: Rig, key: Key) -> None:
    await kubernetes.runtime.start(release(key, "r1", WEB), _DIGESTS)
    namespace = await kubernetes.namespace(key)
    await kubernetes.until(
        lambda seen: "status" in (kubernetes.mirror.find(DEPLOYMENT, namespace, "web-r1") or {}), key
    )
    await kubernetes.patch(DEPLOYMENT, namespace, "web-r1", {"metadata": {"annotations": {"a-tool": "was here"}}})
    await kubernetes.until(
        lambda _: (
            "a-tool" in (kubernetes.mirror.find(DEPLOYMENT, namespace, "web-r1") or {})["metadata"]["annotations"]
        ),
        key,
    )
    assert not _has_drifted(await kubernetes.runtime.observe(key))


async def test_a_seal_that_somebody_broke_counts_as_drift(kubernetes: Rig, key: Key) -> None:
    await kubernetes.runtime.start(release(key, "r1", WEB), _DIGESTS)
    namespace = await kubernetes.namespace(key)
    broken = {"metadata": {"annotations": {SEAL: None}}}
    await kubernetes.patch(DEPLOYMENT, namespace, "web-r1", broken)
    await kubernetes.until(_has_drifted, key)
