"""What is handed into namespaces of a real cluster: seen to be lacking without a look into any Secret, and given."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from previewbot.adapters.kubernetes import Certificate, Handed
from previewbot.adapters.kubernetes.kinds import ACCOUNT, NAMESPACE, SECRET
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from tests.fixtures.kubernetes import OPTIONS, Rig, Weather, rig, weather

pytestmark = pytest.mark.cluster

KEY = Key(34, 1)
PULL = '{"auths":{"registry.test":{"auth":"YTpi"}}}'
BOTH = Handed(PULL, Certificate("a chain", "a key"))


@pytest.fixture
async def stormy(kubeconfig: Path, instance: str, tmp_path: Path) -> AsyncIterator[tuple[Rig, Weather]]:
    async with weather(kubeconfig, tmp_path) as (sky, file), rig(file, instance, OPTIONS, BOTH) as made:
        await made.mirror.ready()
        yield made, sky


async def _contents(made: Rig) -> Mapping[str, list[str]]:
    found = (await made.api.list(SECRET, await made.namespace(KEY))).things
    read = {each["metadata"]["name"]: [base64.b64decode(value).decode() for value in each["data"].values()]
            for each in found}  # fmt: skip
    return {name: sorted(values) for name, values in read.items()}


async def _is_asked_for(made: Rig) -> bool:
    seen = await made.runtime.observe(KEY)
    assert not seen.drifted, "nobody changed anything"
    return seen.outdated


async def test_a_namespace_has_what_it_is_given_and_gets_what_is_given_anew(stormy: tuple[Rig, Weather]) -> None:
    made, sky = stormy
    await made.runtime.prepare(KEY, "r1")
    assert await _contents(made) == {"registry": [PULL], "certificate": ["a chain", "a key"]}
    assert not await _is_asked_for(made)
    made.give(Handed(PULL, Certificate("another chain", "another key")))
    assert await _is_asked_for(made)
    await made.runtime.prepare(KEY, "r1")
    assert (await _contents(made))["certificate"] == ["another chain", "another key"]
    assert not await _is_asked_for(made)
    assert not [path for method, path in sky.calls if method == "GET" and "/secrets/registry" in path]


async def test_what_is_given_no_more_is_emptied_and_the_account_names_it_no_more(stormy: tuple[Rig, Weather]) -> None:
    made, _ = stormy
    await made.runtime.prepare(KEY, "r1")
    made.give(Handed())
    assert await _is_asked_for(made)
    await made.runtime.prepare(KEY, "r1")
    assert await _contents(made) == {"registry": ['{"auths":{}}'], "certificate": ["", ""]}
    assert not await _is_asked_for(made)
    home = await made.namespace(KEY)
    account = await made.api.get(ACCOUNT, home, "preview")
    assert account
    assert "imagePullSecrets" not in account
    namespace = await made.api.get(NAMESPACE, None, home)
    assert namespace
    assert not [each for each in namespace["metadata"]["annotations"] if "given" in each]


async def test_a_handing_out_that_is_stopped_half_way_is_seen_and_done_again(stormy: tuple[Rig, Weather]) -> None:
    made, sky = stormy
    await made.runtime.prepare(KEY, "r1")
    made.give(Handed(PULL, Certificate("another chain", "another key")))
    sky.answer("PATCH", "/secrets/certificate", 500)
    with pytest.raises(Transient):
        await made.runtime.prepare(KEY, "r1")
    assert await _is_asked_for(made)
    await made.runtime.prepare(KEY, "r1")
    assert (await _contents(made))["certificate"] == ["another chain", "another key"]
    assert not await _is_asked_for(made)


async def test_a_mark_that_somebody_takes_away_has_it_given_again(stormy: tuple[Rig, Weather]) -> None:
    made, _ = stormy
    await made.runtime.prepare(KEY, "r1")
    home = await made.namespace(KEY)
    await made.patch(NAMESPACE, None, home, {"metadata": {"annotations": {"previewbot.dev/given-certificate": None}}})
    await made.until(lambda seen: seen.drifted, KEY)
    await made.runtime.prepare(KEY, "r1")
    await made.until(lambda seen: not seen.drifted, KEY)
