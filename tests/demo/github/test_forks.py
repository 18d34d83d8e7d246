"""A pull request from a fork: its branch lives in the fork, and the base repository knows only the pull request."""

from __future__ import annotations

from previewbot.demo.github.state import Pull, Repository
from tests.fixtures.github import Shop


async def opened(shop: Shop) -> tuple[Pull, Repository]:
    """A pull request from ``someone/shop``, and that fork; from then on it is noted what the App is told."""
    shop.listen()
    files = {"index.html": "changed\n"}
    pull = await shop.github.open_pull(
        shop.repository, author="someone", title="From outside", files=files, fork="someone/shop"
    )
    fork = shop.github.state.find("someone/shop")
    assert fork
    return pull, fork


async def test_its_branch_lives_in_the_fork_and_the_base_has_the_pull_requests_ref_alone(shop: Shop) -> None:
    pull, fork = await opened(shop)
    await shop.github.push(shop.repository, pull, {"index.html": "again\n"})
    main = await shop.refs(shop.repository, "refs/heads/main")
    assert await shop.refs(shop.repository) == {**main, "refs/pull/1/head": pull.sha}
    assert await shop.refs(fork) == {**main, f"refs/heads/{pull.head_ref}": pull.sha}


async def test_a_push_to_it_is_no_push_to_the_base(shop: Shop) -> None:
    pull, _ = await opened(shop)
    await shop.github.push(shop.repository, pull, {"index.html": "again\n"})
    assert [event for event, _ in shop.told()] == ["pull_request", "pull_request"]


async def test_a_push_to_a_branch_of_the_base_is_one(shop: Shop) -> None:
    shop.listen()
    pull = await shop.github.open_pull(shop.repository, author="alice", title="x", files={"index.html": "1\n"})
    await shop.github.push(shop.repository, pull, {"index.html": "2\n"})
    told = dict(shop.told())
    assert told["push"]["ref"] == f"refs/heads/{pull.head_ref}"
    assert told["push"]["after"] == pull.sha == told["pull_request"]["after"]


async def test_its_two_sides_say_whose_they_are(shop: Shop) -> None:
    pull, fork = await opened(shop)
    ((_, told),) = shop.told()
    head, base = told["pull_request"]["head"], told["pull_request"]["base"]
    assert (head["label"], head["repo"]["id"], head["repo"]["fork"]) == (f"someone:{pull.head_ref}", fork.id, True)
    assert (base["label"], base["repo"]["id"], base["repo"]["fork"]) == ("acme:main", shop.repository.id, False)
