"""What every store of secrets keeps to."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from previewbot.adapters.aws import Account
from previewbot.adapters.secrets import LocalSecrets, ManagedSecrets, ParameterSecrets
from previewbot.core.ids import Key
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.ports import Secrets, Value
from tests.fakes.secrets import FakeSecrets

PREVIEW = Scope("shop", "preview")
OWN = Scope.own(Key(7, 42))
TOKEN = SecretName("web", "TOKEN")
HOSTILE = "a$(b) ${c}\n\"'\\ é \U0001f600"


@pytest.fixture(params=["fake", "local", "parameter-store", "secrets-manager"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Secrets:
    if request.param == "fake":
        return FakeSecrets()
    if request.param == "local":
        return LocalSecrets(tmp_path / "secrets.json", b"k" * 32)
    account: Account = request.getfixturevalue("aws_account")
    of: dict[str, type[ParameterSecrets | ManagedSecrets]] = {
        "parameter-store": ParameterSecrets,
        "secrets-manager": ManagedSecrets,
    }
    return of[request.param](account, f"p{uuid.uuid4().hex[:10]}", "main")


async def test_what_is_put_is_read_back_to_the_letter(store: Secrets) -> None:
    await store.put(PREVIEW, TOKEN, Value(HOSTILE))
    found = await store.values(PREVIEW, {TOKEN, SecretName("web", "OTHER")})
    assert {name: value.text for name, value in found.items()} == {TOKEN: HOSTILE}


async def test_every_write_has_another_version_even_of_the_same_value(store: Secrets) -> None:
    first = await store.put(PREVIEW, TOKEN, Value("same"))
    assert await store.versions(PREVIEW) == {TOKEN: first}
    assert await store.put(PREVIEW, TOKEN, Value("same")) != first


async def test_a_scope_holds_neither_what_is_beside_it_nor_what_is_below(store: Secrets) -> None:
    for scope in (PREVIEW, OWN, Scope("shop", "production"), Scope("shop", "preview", "pr-7-4")):
        await store.put(scope, TOKEN, Value(str(scope)))
    for scope in (PREVIEW, OWN, Scope("shop", "production")):
        assert set(await store.versions(scope)) == {TOKEN}
        assert (await store.values(scope, {TOKEN}))[TOKEN].text == str(scope)


async def test_what_is_removed_is_gone_and_removing_it_again_removes_nothing(store: Secrets) -> None:
    await store.put(PREVIEW, TOKEN, Value("x"))
    assert await store.remove(PREVIEW, TOKEN)
    assert not await store.remove(PREVIEW, TOKEN)
    assert await store.versions(PREVIEW) == {}


async def test_an_environments_own_are_forgotten_at_once_and_no_others_can_be(store: Secrets) -> None:
    await store.put(PREVIEW, TOKEN, Value("x"))
    for name in ("A", "B"):
        await store.put(OWN, SecretName(SHARED, name), Value("x"))
    assert await store.forget(OWN) == 2
    assert await store.forget(OWN) == 0
    with pytest.raises(ValueError, match="one environment"):
        await store.forget(PREVIEW)
    assert set(await store.versions(PREVIEW)) == {TOKEN}


async def test_it_lists_the_environments_that_have_anything_of_their_own(store: Secrets) -> None:
    key, other = Key(7, 42), Key(7, 4)
    await store.put(PREVIEW, TOKEN, Value("x"))
    assert await store.keys() == frozenset()
    for each in (key, other):
        await store.put(Scope.own(each), SecretName("db", "password"), Value("x"))
        await store.put(Scope.own(each), SecretName(SHARED, "SESSION_KEY"), Value("x"))
    assert await store.keys() == {key, other}
    await store.forget(Scope.own(key))
    assert await store.keys() == {other}


async def test_two_previewbots_in_one_place_of_the_cloud_see_nothing_that_is_the_others_own(
    aws_account: Account,
) -> None:
    for kind in (ParameterSecrets, ManagedSecrets):
        prefix, key = f"p{uuid.uuid4().hex[:10]}", Key(7, 42)
        one, two = kind(aws_account, prefix, "one"), kind(aws_account, prefix, "two")
        for each in (one, two):
            await each.put(Scope.own(key), TOKEN, Value("x"))
        await one.put(PREVIEW, TOKEN, Value("of both"))
        assert await one.forget(Scope.own(key)) == 1
        assert await one.keys() == frozenset()
        assert await two.keys() == {key}
        assert set(await two.versions(PREVIEW)) == {TOKEN}


async def test_writers_at_once_lose_nothing(store: Secrets) -> None:
    names = [SecretName("web", f"S{number}") for number in range(20)]
    await asyncio.gather(*(store.put(PREVIEW, each, Value(each.name)) for each in names))
    assert set(await store.versions(PREVIEW)) == set(names)


async def test_asked_for_names_it_tells_those_that_are_there(store: Secrets) -> None:
    version = await store.put(PREVIEW, TOKEN, Value("x"))
    await store.put(PREVIEW, SecretName(SHARED, "OTHER"), Value("x"))
    many = [SecretName("web", f"S{number}") for number in range(25)]
    assert await store.versions(PREVIEW, [TOKEN, *many]) == {TOKEN: version}
    assert await store.versions(PREVIEW, []) == {}


async def test_what_was_removed_can_be_set_again_as_another_version(store: Secrets) -> None:
    first = await store.put(PREVIEW, TOKEN, Value("x"))
    await store.remove(PREVIEW, TOKEN)
    again = await store.put(PREVIEW, TOKEN, Value("y"))
    assert again != first
    assert await store.versions(PREVIEW, [TOKEN]) == {TOKEN: again}
    assert (await store.values(PREVIEW, [TOKEN]))[TOKEN].text == "y"


async def test_a_value_never_shows_by_accident(store: Secrets) -> None:
    await store.put(PREVIEW, TOKEN, Value("hunter2"))
    assert "hunter2" not in repr(await store.values(PREVIEW, {TOKEN}))
    assert await store.check()
