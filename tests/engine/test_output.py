"""What programs said is shown without any secret that they may know, in whatever version, or not at all."""

from __future__ import annotations

import pytest

from previewbot.core.secrets import SHARED, Scope, Seal, SecretName
from previewbot.core.situation import Held
from previewbot.engine import output
from previewbot.ports import Value
from tests.core.facts import KEY
from tests.fakes.secrets import FakeSecrets

PREVIEW, TOKEN = Scope("shop", "preview"), SecretName(SHARED, "TOKEN")


@pytest.fixture
def store() -> FakeSecrets:
    return FakeSecrets()


async def _shown(store: FakeSecrets, *versions: str, says: str) -> list[str]:
    seals = frozenset(Seal(TOKEN, each, own=False) for each in versions)
    return list((await output.hide(store, Held(KEY, "shop", seals), {"web": [says]}))["web"])


async def test_whoever_knows_the_current_value_is_shown_without_it(store: FakeSecrets) -> None:
    version = await store.put(PREVIEW, TOKEN, Value("hunter2"))
    assert await _shown(store, version, says="with hunter2") == ["with •••"]


async def test_whoever_may_know_an_older_value_is_not_shown_also_beside_one_with_the_newer(store: FakeSecrets) -> None:
    old = await store.put(PREVIEW, TOKEN, Value("hunter2"))
    new = await store.put(PREVIEW, TOKEN, Value("hunter3"))
    for versions in ([old], [old, new]):
        (only,) = await _shown(store, *versions, says="with hunter2")
        assert only.startswith("previewbot does not show this: TOKEN changed since this was started")


async def test_what_its_siblings_know_and_what_was_made_for_it_alone_is_hidden_too(store: FakeSecrets) -> None:
    await store.put(PREVIEW, SecretName("other", "KEY"), Value("a sibling's"))
    await store.put(Scope.own(KEY), SecretName("db", "password"), Value("its own"))
    store.asked.clear()
    assert await _shown(store, says="a sibling's, its own") == ["•••, •••"]
    assert set(store.asked) == {PREVIEW, Scope.own(KEY)}, "whoever shows something asks for no other scope"


async def test_who_said_nothing_has_nothing_to_hide(store: FakeSecrets) -> None:
    assert await output.hide(store, Held(KEY, "shop", None), {"web": []}) == {"web": []}
