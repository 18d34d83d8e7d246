"""Every answer tells what is left of the hour, and when that is nothing, there is no other answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from previewbot.demo.github import SimulatedGitHub
from previewbot.demo.github.faults import Kind
from tests.fixtures.github import Asker, Shop

NAMES = ("limit", "remaining", "used", "resource")


def told(answer: httpx.Response) -> tuple[str, ...]:
    return tuple(answer.headers[f"x-ratelimit-{name}"] for name in NAMES)


async def test_every_answer_tells_what_is_left(shop: Shop, ask: Asker) -> None:
    token = await ask.token()
    began = datetime.now(UTC)
    for used, path in ((1, "/repos/acme/shop"), (2, "/repos/acme/nothing"), (3, "/repos/acme/shop/pulls/9")):
        answer = await ask("GET", path, token=token)
        assert told(answer) == ("5000", str(5000 - used), str(used), "core")
        reset = datetime.fromtimestamp(int(answer.headers["x-ratelimit-reset"]), UTC)
        assert timedelta(minutes=58) < reset - began <= timedelta(hours=1, seconds=5)


async def test_each_installation_the_app_and_strangers_have_an_hour_of_their_own(shop: Shop, ask: Asker) -> None:
    await shop.github.create_repository("other/thing", {"a": "1"})
    tokens = [await ask.token("acme"), await ask.token("other")]
    used = [told(await ask("GET", "/installation/repositories", token=each))[2] for each in (*tokens, tokens[0])]
    assert used == ["1", "1", "2"]
    assert told(await ask("GET", "/app", token=ask.signed()))[2] == "3"
    assert told(await ask("GET", "/app")) == ("60", "59", "1", "core")


async def test_a_spent_hour_refuses_everything_until_it_is_over(tmp_path: Path) -> None:
    passed = timedelta(0)
    github = SimulatedGitHub(tmp_path, clock=lambda: datetime.now(UTC) + passed)
    github.limits.strangers = 2
    transport = httpx.ASGITransport(github.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://github.test") as client:
        answers = [await client.get("/app") for _ in range(3)]
        assert [each.status_code for each in answers] == [401, 401, 403]
        assert answers[2].headers["x-ratelimit-remaining"] == "0"
        assert answers[2].json()["message"] == "API rate limit exceeded."
        passed = timedelta(hours=1, seconds=2)
        assert (await client.get("/app")).status_code == 401
    await github.hooks.aclose()


@pytest.mark.parametrize(("kind", "status"), [("primary", 403), ("primary-429", 429)])
async def test_a_simulated_primary_limit_says_when_it_ends(shop: Shop, ask: Asker, kind: Kind, status: int) -> None:
    shop.github.faults.add("GET", "/app", kind)
    answer = await ask("GET", "/app", token=ask.signed())
    assert answer.status_code == status
    assert told(answer) == ("5000", "0", "5000", "core")
    assert 50 < int(answer.headers["x-ratelimit-reset"]) - datetime.now(UTC).timestamp() <= 60
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(("kind", "status"), [("secondary", 403), ("secondary-429", 429)])
async def test_a_simulated_secondary_limit_says_how_long(shop: Shop, ask: Asker, kind: Kind, status: int) -> None:
    shop.github.faults.add("GET", "/app", kind)
    answer = await ask("GET", "/app", token=ask.signed())
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "60")
    assert told(answer)[1] == "4999"
    assert answer.json()["message"].startswith("You have exceeded a secondary rate limit")
