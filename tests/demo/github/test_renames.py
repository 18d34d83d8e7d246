"""A renamed repository stays what it is: its id leads to it always, and its old name goes on leading there."""

from __future__ import annotations

import base64

from tests.fixtures.github import Asker, Shop


async def test_its_id_leads_to_it_whatever_it_is_called(shop: Shop, ask: Asker) -> None:
    token, here = await ask.token(), f"/repositories/{shop.repository.id}"
    await shop.github.open_pull(shop.repository, author="alice", title="x", files={"index.html": "1\n"})
    for name in ("acme/shop", "acme/store", "acme/stall"):
        shop.github.rename(shop.repository, name)
        assert (await ask("GET", here, token=token)).json()["full_name"] == name
        assert len((await ask("GET", f"{here}/pulls", token=token)).json()) == 1
    assert (await ask("GET", "/repositories/424242", token=token)).status_code == 404


async def test_its_old_name_answers_where_it_is_now(shop: Shop, ask: Asker) -> None:
    token, there = await ask.token(), f"http://github.test/repositories/{shop.repository.id}"
    shop.github.rename(shop.repository, "acme/store")
    answer = await ask("GET", "/repos/acme/shop/pulls?state=all", token=token)
    assert (answer.status_code, answer.headers["location"]) == (301, f"{there}/pulls?state=all")
    assert (answer.json()["message"], answer.json()["url"]) == ("Moved Permanently", f"{there}/pulls?state=all")
    answer = await ask("POST", "/repos/acme/shop/deployments", token=token, body={"ref": "x"})
    assert (answer.status_code, answer.headers["location"]) == (307, f"{there}/deployments")
    answer = await ask("GET", "/api/v3/repos/acme/shop/installation", token=ask.signed())
    prefixed = f"http://github.test/api/v3/repositories/{shop.repository.id}/installation"
    assert (answer.status_code, answer.headers["location"]) == (301, prefixed)
    assert (await ask("GET", prefixed, token=ask.signed())).json()["account"]["login"] == "acme"


async def test_git_under_its_old_name_is_sent_on(shop: Shop, ask: Asker) -> None:
    token = await ask.token()
    shop.github.rename(shop.repository, "acme/store")
    refs = "info/refs?service=git-upload-pack"
    basic = {"Authorization": "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()}
    answer = await ask.client.get(f"/acme/shop.git/{refs}", headers=basic)
    assert (answer.status_code, answer.headers["location"]) == (301, f"http://github.test/acme/store.git/{refs}")
    assert (await ask.client.get(answer.headers["location"], headers=basic)).status_code == 200
    assert (await ask.client.get(f"/acme/shop.git/{refs}")).status_code == 401


async def test_who_may_not_see_it_is_not_told_where_it_is(shop: Shop, ask: Asker) -> None:
    await shop.github.create_repository("other/thing", {"a": "1"})
    shop.github.rename(shop.repository, "acme/store")
    assert (await ask("GET", "/repos/acme/shop", token=await ask.token("other"))).status_code == 404


async def test_a_new_repository_takes_an_old_name_over(shop: Shop, ask: Asker) -> None:
    shop.github.rename(shop.repository, "acme/store")
    made = await shop.github.create_repository("acme/shop", {"a": "1"})
    assert (await ask("GET", "/repos/acme/shop", token=await ask.token())).json()["id"] == made.id


async def test_the_app_is_told_of_the_old_name_or_the_old_owner(shop: Shop) -> None:
    await shop.github.create_repository("other/thing", {"a": "1"})
    shop.listen()
    shop.github.rename(shop.repository, "acme/store")
    shop.github.rename(shop.repository, "other/store")
    (event, renamed), (_, transferred) = shop.told()
    assert (event, renamed["action"], renamed["repository"]["full_name"]) == ("repository", "renamed", "acme/store")
    assert renamed["changes"] == {"repository": {"name": {"from": "shop"}}}
    assert transferred["changes"]["owner"]["from"]["organization"]["login"] == "acme"
    assert transferred["installation"]["id"] == shop.github.state.installations["other"].id
