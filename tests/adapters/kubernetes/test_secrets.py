"""The Secrets of programs in a real cluster: whatever stops a start half-way, none is left without an owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, JOB, SECRET
from previewbot.core.blueprint import Kind
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import HookPoint, ServiceSpec
from tests.fixtures.engine import BASE, SERVE, release, service
from tests.fixtures.kubernetes import OPTIONS, Rig, Weather, rig, weather

pytestmark = pytest.mark.cluster

KEY = Key(33, 1)
WEB = service("web", SERVE, 8080)
HOOK = replace(
    service("hook.release", ("sh", "-c", "test $TOKEN = hunter2"), None), kind=Kind.JOB, hook=HookPoint.RELEASE
)
CHORE = replace(HOOK, name="chore", hook=None)
SPECS = {"web": (WEB, DEPLOYMENT, "ready"), "hook": (HOOK, JOB, "done"), "job": (CHORE, JOB, "laid")}
SEALED = {"TOKEN": "hunter2"}


@pytest.fixture
async def stormy(kubeconfig: Path, instance: str, tmp_path: Path) -> AsyncIterator[tuple[Rig, Weather]]:
    async with weather(kubeconfig, tmp_path) as (sky, file), rig(file, instance, OPTIONS) as made:
        await made.mirror.ready()
        yield made, sky


async def _start(made: Rig, spec: ServiceSpec) -> None:
    await made.runtime.start(release(KEY, "r1", spec), {"base": BASE}, sealed={spec.name: SEALED})


async def _secrets(made: Rig) -> list[str]:
    """Those of programs, each with its owner."""
    found = await made.api.list(SECRET, await made.namespace(KEY))
    return [each["metadata"].get("ownerReferences", [{}])[0].get("kind", "nobody") for each in found.things]


def _stop_at_the_second_write(sky: Weather, plural: str) -> None:
    writes: list[str] = []

    def second(method: str, path: str) -> bool:
        if method == "PATCH" and f"/{plural}/" in path:
            writes.append(path)
        return len(writes) == 2

    sky.answers.append((second, 500, {}))


@pytest.mark.parametrize("case", SPECS)
@pytest.mark.parametrize("stopped", ["before its secret", "after its secret"])
async def test_a_start_that_is_stopped_leaves_no_secret_without_an_owner_and_is_begun_again(
    stormy: tuple[Rig, Weather], case: str, stopped: str
) -> None:
    made, sky = stormy
    spec, kind, end = SPECS[case]
    if stopped == "before its secret":
        sky.answer("PATCH", "/secrets/", 500)
    else:
        _stop_at_the_second_write(sky, kind.plural)
    with pytest.raises(Transient):
        await _start(made, spec)
    assert await _secrets(made) == ([] if stopped == "before its secret" else [kind.name])
    (seen,) = (await made.runtime.observe(KEY)).releases
    assert not seen.instances, "what has not begun is to be started"
    await _start(made, spec)
    await made.until(lambda seen: [each.state for each in seen.releases[0].instances] == [end], KEY)
    assert await _secrets(made) == [kind.name]


async def test_the_secret_of_a_start_that_is_given_up_goes_with_it(stormy: tuple[Rig, Weather]) -> None:
    made, sky = stormy
    _stop_at_the_second_write(sky, DEPLOYMENT.plural)
    with pytest.raises(Transient):
        await _start(made, WEB)
    assert await _secrets(made) == ["Deployment"]
    await made.runtime.remove(KEY, "r1")
    async with asyncio.timeout(30):
        while await _secrets(made):
            await asyncio.sleep(0.1)
