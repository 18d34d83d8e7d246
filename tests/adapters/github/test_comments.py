"""One comment per pull request, found by its marker, whoever races and whatever somebody deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.adapters.github.comments import LIMIT, fit
from previewbot.core.errors import Transient
from tests.adapters.github.scripted import PULL, FixedClock, Scripted, hub, json

MARK = "<!-- previewbot:pr-7-42 -->"
LIST = "GET /repos/acme/shop/issues/42/comments"
CREATE = "POST /repos/acme/shop/issues/42/comments"


def ours(id: int, body: str = f"old {MARK}") -> dict[str, Any]:
    return {
        "id": id,
        "body": body,
        "user": {"login": "p[bot]", "type": "Bot"},
        "performed_via_github_app": {"id": 12345},
    }


def test_a_body_that_fits_is_left_alone() -> None:
    assert fit(f"text {MARK}", MARK) == f"text {MARK}"


def test_a_marker_that_is_missing_is_added() -> None:
    assert fit("text", MARK) == f"text\n{MARK}"


def test_a_cut_closes_what_it_leaves_open() -> None:
    lines = "\n".join(f"line {number}" for number in range(9000))
    cut = fit(f"{MARK}\n<details>\n\n````text\n{lines}\n````\n</details>", MARK)
    assert len(cut) <= LIMIT
    body, _, note = cut.partition("````\n</details>")
    assert body.splitlines()[-1].startswith("line ")
    assert note.startswith("\n\n<sub>Cut here")


def test_half_a_character_does_not_stop_a_comment() -> None:
    assert fit(f"\ud800 \0 {MARK}", MARK) == f"? � {MARK}"


@given(st.text(min_size=0, max_size=300).map(lambda text: text * 40), st.integers(700, 2000))
def test_any_text_becomes_one_that_github_takes(text: str, limit: int) -> None:
    made = fit(text, MARK, limit)
    assert len(made) <= limit + len(MARK) + 1
    assert MARK in made
    made.encode()


async def test_the_oldest_of_several_is_kept_and_found_on_any_page() -> None:
    github = Scripted()
    strangers = [{"id": n, "body": "hello", "user": None} for n in range(100)]
    link = '<https://github.test/api/v3/repos/acme/shop/issues/42/comments?page=2>; rel="next"'
    github.on(LIST, json(strangers, link=link), json([ours(500), ours(501)]))
    github.on("PATCH /repos/acme/shop/issues/comments/500", json({"id": 500}))
    assert await hub(github).comment(PULL, MARK, f"new {MARK}", known=None, final=True) == 500
    assert github.sent(LIST)[1].url.params["page"] == "2"


async def test_a_comment_of_somebody_else_that_carries_the_marker_is_not_ours() -> None:
    github = Scripted()
    github.on("GET /app", json({"id": 12345, "slug": "p"}))
    person = {"id": 1, "body": MARK, "user": {"login": "eve", "type": "User"}}
    other_app = ours(2) | {"performed_via_github_app": {"id": 99}}
    other_bot = {"id": 3, "body": MARK, "user": {"login": "q[bot]", "type": "Bot"}}
    github.on(LIST, json([person, other_app, other_bot]))
    github.on(CREATE, json({"id": 4}, 201))
    assert await hub(github).comment(PULL, MARK, f"new {MARK}", known=None, final=True) == 4


async def test_our_bot_is_known_by_its_login_where_github_names_no_app() -> None:
    github = Scripted()
    github.on("GET /app", json({"id": 12345, "slug": "p"}))
    github.on(LIST, json([ours(8) | {"performed_via_github_app": None}]))
    github.on("PATCH /repos/acme/shop/issues/comments/8", json({"id": 8}))
    assert await hub(github).comment(PULL, MARK, f"new {MARK}", known=None, final=True) == 8


async def test_the_known_comment_is_edited_without_a_look() -> None:
    github = Scripted()
    github.on("PATCH /repos/acme/shop/issues/comments/5", json({"id": 5}))
    assert await hub(github).comment(PULL, MARK, f"new {MARK}", known=5, final=True) == 5
    assert not github.sent(LIST)


async def test_a_known_comment_that_was_deleted_is_looked_for_and_then_made_anew() -> None:
    github = Scripted()
    github.on("PATCH /repos/acme/shop/issues/comments/5", json({"message": "Not Found"}, 404))
    github.on(LIST, json([]))
    github.on(CREATE, json({"id": 6}, 201))
    assert await hub(github).comment(PULL, MARK, f"new {MARK}", known=5, final=True) == 6


async def test_a_found_comment_that_says_it_already_costs_no_write() -> None:
    github = Scripted()
    github.on(LIST, json([ours(5, f"same {MARK}")]))
    assert await hub(github).comment(PULL, MARK, f"same {MARK}", known=None, final=True) == 5
    assert not [each for each in github.requests if each.method == "PATCH"]


async def test_two_that_race_make_one_comment() -> None:
    github = Scripted()
    made: list[dict[str, Any]] = []

    def create(request: httpx.Request) -> httpx.Response:
        made.append(ours(len(made) + 1, "x " + MARK))
        return json({"id": len(made)}, 201)

    github.on(LIST, lambda request: json(made))
    github.on(CREATE, create)
    github.on("PATCH /repos/acme/shop/issues/comments/1", json({"id": 1}))
    client = hub(github)
    texts = [f"text {number} {MARK}" for number in range(4)]
    ids = await asyncio.gather(*[client.comment(PULL, MARK, text, known=None, final=True) for text in texts])
    assert ids == [1, 1, 1, 1]
    assert len(made) == 1


async def test_the_budget_holds_back_what_is_not_final_and_puts_off_what_is() -> None:
    github = Scripted()
    github.on("PATCH /repos/acme/shop/issues/comments/5", json({"id": 5}))
    client = hub(github, FixedClock())
    said = [await client.comment(PULL, MARK, f"{n} {MARK}", known=5, final=False) for n in range(7)]
    assert said == [5, 5, 5, 5, 5, None, None]
    for number in range(5):
        assert await client.comment(PULL, MARK, f"final {number} {MARK}", known=5, final=True) == 5
    with pytest.raises(Transient) as raised:
        await client.comment(PULL, MARK, f"one more {MARK}", known=5, final=True)
    assert raised.value.retry_after is not None


async def test_a_secondary_limit_stops_every_write_until_it_is_over() -> None:
    github = Scripted()
    patch = "PATCH /repos/acme/shop/issues/comments/5"
    github.on(patch, json({"message": "You have exceeded a secondary rate limit"}, 403, retry_after="30"))
    client = hub(github, FixedClock())
    for _ in range(3):
        with pytest.raises(Transient) as raised:
            await client.comment(PULL, MARK, f"new {MARK}", known=5, final=True)
        assert raised.value.retry_after is not None
        assert raised.value.retry_after.total_seconds() == 30
    assert len(github.sent(patch)) == 1
