"""Reactions have ids of their own, and the same one of the same account is one."""

from __future__ import annotations

from tests.fixtures.github import Asker, Shop


async def test_a_reaction_has_an_id_of_its_own_and_is_made_once(shop: Shop, ask: Asker) -> None:
    pull = await shop.github.open_pull(shop.repository, author="alice", title="x", files={"index.html": "1\n"})
    one, two = (shop.github.comment(shop.repository, pull, "alice", text) for text in ("one", "two"))
    token, answers = await ask.token(), []
    for comment, content in ((one, "eyes"), (one, "eyes"), (one, "+1"), (two, "eyes")):
        path = f"/repos/acme/shop/issues/comments/{comment.id}/reactions"
        answers.append(await ask("POST", path, token=token, body={"content": content}))
    assert [each.status_code for each in answers] == [201, 200, 201, 201]
    first, again, other, elsewhere = (each.json() for each in answers)
    assert first == again
    assert len({first["id"], other["id"], elsewhere["id"], one.id, two.id}) == 5


async def test_a_reaction_that_github_does_not_have_is_refused(shop: Shop, ask: Asker) -> None:
    pull = await shop.github.open_pull(shop.repository, author="alice", title="x", files={"index.html": "1\n"})
    comment = shop.github.comment(shop.repository, pull, "alice", "one")
    path = f"/repos/acme/shop/issues/comments/{comment.id}/reactions"
    answer = await ask("POST", path, token=await ask.token(), body={"content": "thinking"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "content")
    assert comment.reactions == []
