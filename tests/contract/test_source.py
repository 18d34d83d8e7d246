"""What every source does: the one in memory that stories use, and the one on git."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from previewbot.adapters.git import GitSource
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Repository
from previewbot.ports import Credential, Source
from tests.fakes.source import FakeSource, Link, Submodule, Tree
from tests.fixtures.repositories import Origin

FILES: dict[str, bytes | Link | Submodule] = {
    "Dockerfile": b"FROM scratch\n",
    "web/index.html": b"hello",
    "web/img/a.svg": b"<svg/>",
}


@dataclass
class World:
    source: Source
    repository: Repository
    push: Callable[[Tree], str]


@pytest.fixture(params=["memory", "git"])
def world(request: pytest.FixtureRequest, origin: Origin, tmp_path: Path) -> World:
    if request.param == "memory":
        fake = FakeSource()
        return World(fake, origin.repository, lambda tree: fake.push(origin.repository, tree))

    async def credential(_: Repository) -> Credential:
        return Credential("unused")

    source = GitSource(tmp_path / "mirrors", credential)
    return World(source, origin.repository, lambda tree: origin.push({path: _row(it) for path, it in tree.items()}))


def _row(content: bytes | Link | Submodule) -> bytes | tuple[str, bytes]:
    match content:
        case Link(target):
            return "120000", target.encode()
        case Submodule():
            return "160000", b"1" * 40
        case bytes():
            return content


async def fetched(world: World, tree: Tree) -> str:
    commit = world.push(tree)
    await world.source.fetch(world.repository, commit)
    return commit


async def test_a_file_is_read_and_what_is_no_file_is_none(world: World) -> None:
    commit = await fetched(world, FILES)
    read = world.source.read
    assert await read(world.repository, commit, "web/index.html", limit=5) == b"hello"
    assert await read(world.repository, commit, "missing", limit=5) is None
    assert await read(world.repository, commit, "web", limit=5) is None
    assert await read(world.repository, commit, "web/../Dockerfile", limit=5) is None
    assert await read(world.repository, commit, "", limit=5) is None


async def test_a_file_that_is_too_long_is_refused(world: World) -> None:
    commit = await fetched(world, FILES)
    with pytest.raises(Refused, match=r"`web/index\.html` is larger than") as caught:
        await world.source.read(world.repository, commit, "web/index.html", limit=4)
    assert caught.value.reason == "source_refused"


async def test_a_symlink_is_not_read(world: World) -> None:
    commit = await fetched(world, FILES | {"previewbot.yaml": Link("Dockerfile")})
    with pytest.raises(Refused, match=r"`previewbot\.yaml` is not a regular file"):
        await world.source.read(world.repository, commit, "previewbot.yaml", limit=100)


async def test_a_folder_is_named_by_its_content_alone(world: World) -> None:
    tree = world.source.tree
    first = await fetched(world, FILES)
    second = await fetched(world, FILES | {"Dockerfile": b"FROM other\n"})
    third = await fetched(world, FILES | {"web/index.html": b"bye"})
    names = [await tree(world.repository, commit, "web") for commit in (first, second, third)]
    assert names[0] == names[1] != names[2]
    assert await tree(world.repository, first, "web/img") == await tree(world.repository, third, "web/img")
    assert await tree(world.repository, first, ".") != await tree(world.repository, second, ".")


async def test_what_is_no_folder_has_no_tree(world: World) -> None:
    commit = await fetched(world, FILES)
    for path in ("missing", "Dockerfile", "we", "web/index.html"):
        assert await world.source.tree(world.repository, commit, path) is None


async def test_a_tree_is_given_out_for_as_long_as_it_is_needed(world: World) -> None:
    commit = await fetched(world, FILES | {"web/link": Link("../Dockerfile")})
    async with world.source.checkout(world.repository, commit) as folder:
        found = {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    assert found == FILES | {"web/link": b"FROM scratch\n"}
    assert not folder.exists()


async def test_a_tree_is_taken_back_after_a_failure_too(world: World) -> None:
    commit = await fetched(world, FILES)
    with pytest.raises(ZeroDivisionError):
        async with world.source.checkout(world.repository, commit) as folder:
            raise ZeroDivisionError
    assert not folder.exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "web/../../outside"])
async def test_a_symlink_that_leaves_the_tree_is_refused(world: World, target: str) -> None:
    commit = await fetched(world, FILES | {"way-out": Link(target)})
    with pytest.raises(Refused, match="`way-out` is a symbolic link that leaves the repository") as caught:
        async with world.source.checkout(world.repository, commit):
            pytest.fail("the tree was given out")
    assert caught.value.reason == "source_refused"


async def test_a_submodule_is_refused(world: World) -> None:
    commit = await fetched(world, FILES | {"vendor/lib": Submodule()})
    with pytest.raises(Refused, match="`vendor/lib` is a submodule"):
        await world.source.read(world.repository, commit, "Dockerfile", limit=100)
    with pytest.raises(Refused, match="`vendor/lib` is a submodule"):
        await world.source.tree(world.repository, commit, ".")


async def test_a_commit_that_is_gone_is_refused(world: World) -> None:
    world.push(FILES)
    with pytest.raises(Refused, match="is not in the repository any more"):
        await world.source.fetch(world.repository, "0" * 39 + "1")


@pytest.mark.parametrize("commit", ["", "main", "HEAD", "--upload-pack=x", "A" * 40, "0" * 41, "0" * 39 + "\n"])
async def test_only_names_of_commits_are_fetched(world: World, commit: str) -> None:
    with pytest.raises(Refused, match="not the name of a commit"):
        await world.source.fetch(world.repository, commit)


async def test_what_was_not_fetched_is_tried_again_later(world: World) -> None:
    commit = world.push(FILES)
    with pytest.raises(Transient):
        await world.source.tree(world.repository, commit, ".")


async def test_a_forgotten_repository_can_come_back(world: World) -> None:
    commit = await fetched(world, FILES)
    await world.source.forget(world.repository.id)
    await world.source.forget(world.repository.id)
    with pytest.raises(Transient):
        await world.source.read(world.repository, commit, "Dockerfile", limit=100)
    await world.source.fetch(world.repository, commit)
    assert await world.source.read(world.repository, commit, "Dockerfile", limit=100) == b"FROM scratch\n"
