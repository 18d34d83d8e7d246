"""The judge itself: it knows everything that previewbot asks of GitHub, and lets nothing wrong pass.

What it judges are all stories and all tests of the real client, each run a second time under it.
"""

from __future__ import annotations

import json

import httpx
import pytest

from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import SystemClock
from tests.contract.test_hub import everything, opened
from tests.fixtures.github import Shop
from tests.judges.judge import Exchange, Judge

pytestmark = [pytest.mark.npm, pytest.mark.timeout(300)]

PULL = "/repos/acme/shop/pulls/1"
COMMENTS = "/repos/acme/shop/issues/1/comments"
LOST = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}


def judged(method: str, path: str, status: int, answered: object, *, asked: object = None) -> set[str]:
    judge, (path, _, query) = Judge(), path.partition("?")
    said = json.dumps(asked).encode() if asked is not None else b""
    judge.judge(Exchange(method, path, query, said, status, json.dumps(answered).encode(), is_broken=False))
    return judge.faults


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("GET", "/repos/acme/shop/previews", 404, LOST), "is not in GitHub's API"),
        (("GET", f"{PULL}?color=red", 404, LOST), "unknown color"),
        (("GET", "/repos/acme/shop/pulls?state=ajar", 404, LOST), "state cannot be ajar"),
        (("GET", PULL, 200, {"number": 1}), "is a required property"),
        (("GET", PULL, 418, LOST), "418 is not among its answers"),
        (("GET", PULL, 404, {"error": "?"}), "404 does not say what is wrong"),
        (("GET", PULL, 404, LOST | {"message": 1}), "message: 1 is not of type"),
        (("GET", "/user/emails", 404, LOST), "is not for Apps"),
        (("POST", COMMENTS, 404, LOST), "request has no body"),
    ],
)
def test_what_github_would_not_say_is_a_fault(wrong: tuple[str, str, int, object], said: str) -> None:
    assert any(said in fault for fault in judged(*wrong)), judged(*wrong)


def test_a_body_that_github_would_not_take_is_a_fault() -> None:
    assert judged("POST", COMMENTS, 404, LOST, asked={"text": "x"})
    assert judged("POST", COMMENTS, 404, LOST, asked={"body": "x"}) == set()


async def test_every_thing_that_previewbot_does_is_judged(shop: Shop) -> None:
    judge, app = Judge(), shop.github.state.app
    transport = httpx.ASGITransport(judge.api(shop.github.app))
    hub = GitHubHub(AppCredentials(app.id, app.pem, "http://github.test"), clock=SystemClock(), transport=transport)
    try:
        await everything(shop, hub, await opened(shop))
        await hub.describe()
        await hub.repositories()
    finally:
        await hub.aclose()
    asked = {operation for operation, _ in judge.judged}
    assert len(asked) == 15, asked
    assert judge.faults == set()
