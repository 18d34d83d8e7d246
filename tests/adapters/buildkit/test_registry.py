"""A registry's API, on one in memory and on real ones behind a password and behind a token server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from previewbot.adapters.buildkit.login import Login, LoginSource
from previewbot.adapters.buildkit.registry import Registry
from previewbot.core.errors import Refused
from tests.fakes import registry as fake
from tests.fakes.registry import FakeRegistry
from tests.fixtures.registry import INDEX, LOGIN, push, push_manifest

NOWHERE = f"sha256:{'1' * 64}"


class Robot:
    """The one login that every registry here knows."""

    def read(self) -> Login:
        return Login(*LOGIN)


class Stranger:
    """A login that none of them knows."""

    def read(self) -> Login:
        return Login("nobody", "guess")


Make = Callable[[LoginSource | None], Registry]
REAL = ["password_registry", "token_registry"]


@pytest.fixture(params=["fake", *(pytest.param(name, marks=pytest.mark.cluster) for name in REAL)])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Make clients of each kind of registry in its turn."""
    made: list[Registry] = []
    in_memory = FakeRegistry()
    running = None if request.param == "fake" else request.getfixturevalue(request.param)

    def client(logins: LoginSource | None) -> Registry:
        if running:
            made.append(Registry(running.host, logins=logins, plain_http=True))
        else:
            made.append(Registry(fake.HOST, logins=logins, transport=in_memory))
        return made[-1]

    yield client
    for each in made:
        await each.aclose()


@pytest.fixture
def registry(make: Make) -> Registry:
    return make(Robot())


@pytest.fixture
def repository() -> str:
    return f"previews/{uuid4().hex[:12]}"


async def test_what_is_pushed_is_found_by_its_tag_and_by_its_digest_and_nothing_else_is(
    registry: Registry, repository: str
) -> None:
    digest = await push(registry, repository, "one", {})
    assert await registry.digest(repository, "one") == digest
    assert await registry.digest(repository, digest) == digest
    assert await registry.digest(repository, "two") is None
    assert await registry.digest(f"{repository}-2", "one") is None


async def test_an_image_says_who_it_runs_as_and_what_it_is_labelled_with(registry: Registry, repository: str) -> None:
    await push(registry, repository, "one", {"config": {"User": "1000:7", "Labels": {"a": "b"}}})
    await push(registry, repository, "two", {"config": {"Labels": None}})
    one, two = await registry.config(repository, "one"), await registry.config(repository, "two")
    assert one
    assert two
    assert (one.user, one.labels) == ("1000:7", {"a": "b"})
    assert (two.user, two.labels) == ("", {})
    assert await registry.config(repository, "three") is None
    assert await registry.config(repository, NOWHERE) is None


async def test_of_an_image_for_several_machines_the_first_for_linux_speaks(registry: Registry, repository: str) -> None:
    digest = await push(registry, repository, "one", {"config": {"User": "7"}})
    other = await push(registry, repository, "two", {"config": {"User": "8"}})
    found = await registry._client.get(f"{repository}/manifests/{digest}")
    kind, size = found.headers["content-type"], len(found.content)
    entries: list[dict[str, Any]] = [
        {"mediaType": kind, "size": size, "digest": other, "platform": {"os": "windows", "architecture": "amd64"}},
        {"mediaType": kind, "size": size, "digest": digest, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    await push_manifest(registry, repository, "all", {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    config = await registry.config(repository, "all")
    assert config
    assert config.user == "7"


async def test_tags_are_listed_and_a_repository_that_is_not_there_has_none(registry: Registry, repository: str) -> None:
    for tag in ("one", "two", "three"):
        await push(registry, repository, tag, {"config": {"User": tag}})
    assert sorted(await registry.tags(repository)) == ["one", "three", "two"]
    assert await registry.tags(f"{repository}-2") == []


async def test_what_is_deleted_is_gone_with_its_tags_and_can_be_deleted_twice(
    registry: Registry, repository: str
) -> None:
    digest = await push(registry, repository, "one", {})
    await registry.delete(repository, digest)
    await registry.delete(repository, digest)
    assert await registry.digest(repository, "one") is None
    assert await registry.tags(repository) == []


async def test_the_check_finds_every_right_and_leaves_nothing(registry: Registry, repository: str) -> None:
    await registry.check(repository)
    assert await registry.tags(repository) == []


@pytest.mark.parametrize("logins", [None, Stranger()], ids=["nobody", "a stranger"])
async def test_whoever_has_no_right_is_refused_and_told_who_can_help(
    make: Make, repository: str, logins: LoginSource | None
) -> None:
    registry = make(logins)
    for ask in (registry.tags(repository), registry.check(repository), registry.delete(repository, NOWHERE)):
        with pytest.raises(Refused, match=r"401.*operator has to check the registry's credentials"):
            await ask


@pytest.mark.cluster
async def test_the_check_tells_a_login_that_may_not_push_from_one_that_may_not_delete(
    token_registry: Any, repository: str
) -> None:
    registry = Registry(token_registry.host, logins=Robot(), plain_http=True)
    for action, told in (("push", "the begin of a push"), ("delete", "a deletion")):
        token_registry.tokens.withheld.add(action)
        try:
            with pytest.raises(Refused, match=told):
                await registry.check(repository)
        finally:
            token_registry.tokens.withheld.clear()
    await registry.aclose()


@pytest.mark.cluster
async def test_a_registry_that_deletes_nothing_says_so(tmp_path: Path, repository: str) -> None:
    from tests.fixtures.registry import running_registry

    with running_registry(tmp_path / "keeping", deletes=False) as running:
        registry = Registry(running.host, plain_http=True)
        digest = await push(registry, repository, "one", {})
        for ask in (registry.delete(repository, digest), registry.check(repository)):
            with pytest.raises(Refused, match=f"does not delete images, so they pile up in `{repository}`"):
                await ask
        await registry.aclose()
