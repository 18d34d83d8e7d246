"""A repository keeps its id through renames, and vanishes only when GitHub says so twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from previewbot.core.errors import Transient
from previewbot.core.model import Repository
from tests.adapters.github.scripted import SHOP, FixedClock, Scripted, hub, json, pull, shop, token

LISTING = "GET /installation/repositories"
INSTALLED = "GET /repos/acme/shop/installation"
MINUTE = timedelta(minutes=1)
GONE = json({"message": "Not Found"}, 404)


def listing(*repositories: dict[str, Any]) -> httpx.Response:
    return json({"total_count": len(repositories), "repositories": list(repositories)})


async def test_many_lookups_at_once_list_once_and_fetch_one_token() -> None:
    github = Scripted()
    client = hub(github)
    assert await asyncio.gather(*[client.repository(7) for _ in range(20)]) == [SHOP] * 20
    assert len(github.sent(LISTING)) == 1
    assert len(github.sent("POST /app/installations/1/access_tokens")) == 1


async def test_many_calls_at_once_fetch_one_token_and_replace_it_ahead_of_its_end() -> None:
    github = Scripted()
    clock = FixedClock()
    tokens = "POST /app/installations/1/access_tokens"
    github.on(tokens, token(1), token(2, hours=2))
    client = hub(github, clock)
    assert {(await got).token for got in [client.credential(SHOP) for _ in range(9)]} == {"token-1"}
    clock.time += timedelta(minutes=49)
    assert (await client.credential(SHOP)).token == "token-1"
    clock.time += timedelta(minutes=2)
    found = await asyncio.gather(*[client.credential(SHOP) for _ in range(9)])
    assert {each.token for each in found} == {"token-2"}
    assert len(github.sent(tokens)) == 2


async def test_one_listing_that_lacks_it_is_not_believed() -> None:
    github = Scripted()
    clock = FixedClock()
    client = hub(github, clock)
    await client.repository(7)
    github.on(LISTING, listing())
    assert await client.repositories() == ()
    with pytest.raises(Transient, match="says that the App is installed there"):
        await client.repository(7)


async def test_a_repository_that_two_answers_lack_is_gone() -> None:
    github = Scripted()
    clock = FixedClock()
    client = hub(github, clock)
    await client.repository(7)
    github.on(LISTING, listing())
    github.on(INSTALLED, GONE)
    clock.time += 2 * MINUTE
    assert await client.repository(7) is None


async def test_an_unknown_repository_is_listed_twice_before_it_counts_as_gone() -> None:
    github = Scripted()
    github.on(LISTING, listing(), listing(shop()))
    assert await hub(github).repository(7) == SHOP


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200), json({"message": "slow"}, 429)])
async def test_trouble_while_listing_never_says_gone(answer: httpx.Response) -> None:
    github = Scripted()
    github.on(LISTING, answer)
    with pytest.raises(Transient):
        await hub(github).repository(7)


async def test_a_suspended_installation_counts_as_none() -> None:
    github = Scripted()
    clock = FixedClock()
    client = hub(github, clock)
    await client.repository(7)
    github.on("GET /app/installations", json([{"id": 1, "suspended_at": "2026-11-23T12:00:00Z"}]))
    github.on(INSTALLED, json({"id": 1, "suspended_at": "2026-11-23T12:00:00Z"}))
    clock.time += 2 * MINUTE
    assert await client.repository(7) is None


async def test_an_uninstalled_app_is_noticed_by_the_token_that_it_no_longer_gets() -> None:
    github = Scripted()
    client = hub(github)
    await client.repository(7)
    github.on("GET /repos/acme/shop/pulls/42", json({"message": "Bad credentials"}, 401))
    github.on("POST /app/installations/1/access_tokens", GONE)
    github.on("GET /app/installations", json([]))
    github.on(INSTALLED, GONE)
    with pytest.raises(Transient):
        await client.pull(SHOP, 42)
    assert await client.repository(7) is None


@pytest.mark.parametrize("old", [GONE, json({"message": "Moved Permanently"}, 301, location="https://github.test/x")])
async def test_a_rename_is_followed_once_and_the_call_ends_well(old: httpx.Response) -> None:
    github = Scripted()
    client = hub(github)
    await client.repository(7)
    github.on("GET /repos/acme/shop/pulls/42", old)
    github.on(INSTALLED, old)
    github.on(LISTING, listing(shop(full_name="acme/store")))
    github.on("GET /repos/acme/store/pulls/42", json(pull()))
    found = await client.pull(SHOP, 42)
    assert found is not None
    assert found.repository.full_name == "acme/store"
    assert await client.pull(SHOP, 42) == found
    assert len(github.sent("GET /repos/acme/shop/pulls/42")) == 1


async def test_a_transfer_changes_the_installation_that_is_asked() -> None:
    github = Scripted()
    client = hub(github)
    await client.repository(7)
    github.on("GET /repos/acme/shop/pulls/42", GONE)
    github.on(INSTALLED, GONE)
    github.on("GET /app/installations", json([{"id": 2}]))
    github.on("POST /app/installations/2/access_tokens", token(2))
    github.on(LISTING, listing(shop(full_name="umbrella/shop")))
    github.on("GET /repos/umbrella/shop/pulls/42", json(pull()))
    found = await client.pull(SHOP, 42)
    assert found is not None
    assert found.repository == Repository(7, "umbrella/shop", 2, SHOP.clone_url)
    assert github.sent("GET /repos/umbrella/shop/pulls/42")[0].headers["authorization"] == "Bearer token-2"


async def test_a_pull_request_is_gone_only_if_github_says_so_twice() -> None:
    github = Scripted()
    client = hub(github)
    path = "GET /repos/acme/shop/pulls/42"
    github.on(path, GONE, json(pull()), GONE)
    assert await client.pull(SHOP, 42) is not None
    assert await client.pull(SHOP, 42) is None
    assert len(github.sent(path)) == 4


async def test_another_repository_under_the_old_name_is_never_taken_for_ours() -> None:
    github = Scripted()
    stranger = {"ref": "main", "sha": "b" * 40, "repo": shop(id=8)}
    github.on("GET /repos/acme/shop/pulls/42", json(pull(base=stranger)))
    with pytest.raises(Transient, match="another repository"):
        await hub(github).pull(SHOP, 42)


async def test_a_name_that_could_lead_elsewhere_is_not_read() -> None:
    github = Scripted()
    github.on(LISTING, listing(shop(full_name="acme/shop/../../app")))
    with pytest.raises(Transient):
        await hub(github).repository(7)


async def test_every_page_of_both_listings_is_read() -> None:
    github = Scripted()
    link = '<https://github.test/api/v3/x?per_page=100&page=2>; rel="next"'
    github.on("GET /app/installations", json([{"id": 1}], link=link), json([{"id": 2}]))
    github.on("POST /app/installations/2/access_tokens", token(2))
    pages = {("Bearer token-1", None): [shop()], ("Bearer token-1", "2"): [shop(id=9)], ("Bearer token-2", None): []}

    def answer(request: httpx.Request) -> httpx.Response:
        page = request.url.params.get("page")
        found = pages[request.headers["authorization"], page]
        body = {"repositories": found}
        return json(body, link=link) if found and page is None else json(body)

    github.on(LISTING, answer)
    assert {each.id for each in await hub(github).repositories()} == {7, 9}
