"""Every route of the API wants the permission, at the level, that GitHub lists for it, and says so when it is missing.

https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from previewbot.demo.github import SimulatedGitHub, api
from tests.fixtures.github import Asker, Shop

NEEDS: dict[str, tuple[str, ...]] = {
    "GET ": ("metadata=read",),
    "GET /pulls": ("pull_requests=read",),
    "GET /pulls/{number}": ("pull_requests=read",),
    "GET /pulls/{number}/files": ("pull_requests=read",),
    "GET /collaborators/{login}/permission": ("metadata=read",),
    "GET /issues/{number}/comments": ("issues=read", "pull_requests=read"),
    "POST /issues/{number}/comments": ("issues=write", "pull_requests=write"),
    "GET /issues/comments/{id}": ("issues=read", "pull_requests=read"),
    "PATCH /issues/comments/{id}": ("issues=write", "pull_requests=write"),
    "POST /issues/comments/{id}/reactions": ("issues=write", "pull_requests=write"),
    "GET /deployments": ("deployments=read",),
    "POST /deployments": ("deployments=write",),
    "GET /deployments/{id}/statuses": ("deployments=read",),
    "POST /deployments/{id}/statuses": ("deployments=write",),
}
"""What follows the repository's name, and the permissions of which one is enough, as GitHub lists them."""
AS_APP = {
    "GET /app",
    "GET /app/installations",
    "POST /app/installations/{id}/access_tokens",
    "GET /app/hook/deliveries",
    "POST /app/hook/deliveries/{id}/attempts",
    "GET /repos/{owner}/{name}/installation",
    "GET /repositories/{repository}/installation",
}
"""What the App asks with its own key, and no token opens."""
WITHOUT_PERMISSION = {"GET /installation/repositories", "POST /app-manifests/{code}/conversions"}

BODIES: dict[str, dict[str, str]] = {
    "POST /issues/{number}/comments": {"body": "text"},
    "PATCH /issues/comments/{id}": {"body": "text"},
    "POST /issues/comments/{id}/reactions": {"content": "eyes"},
    "POST /deployments": {"ref": "change-1"},
    "POST /deployments/{id}/statuses": {"state": "success"},
}
EVERYTHING = {
    "contents": "read",
    "deployments": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
}
REFUSED = (403, "Resource not accessible by integration")


@dataclass
class Place:
    """A repository with one of everything, asked with whatever permissions a test gives the App."""

    shop: Shop
    ask: Asker
    token: str
    ids: dict[str, int]

    async def answer(self, route: str, permissions: dict[str, str]) -> tuple[int, str]:
        """Ask a route; the status, and what GitHub says."""
        self.shop.github.state.app.permissions = permissions
        method, _, path = route.partition(" ")
        kind = "deployments" if "deployments" in path else "comments"
        path = f"/repos/acme/shop{path}".format(number=1, login="alice", id=self.ids[kind])
        made = await self.ask(method, path, token=self.token, body=BODIES.get(route))
        said = made.json()
        return made.status_code, said.get("message", "") if isinstance(said, dict) else ""


@pytest.fixture
async def place(shop: Shop, ask: Asker) -> Place:
    """With a pull request, a comment of the App's, and a deployment."""
    shop.github.state.app.permissions = EVERYTHING
    token = await ask.token()
    await shop.github.open_pull(shop.repository, author="alice", title="x", files={"index.html": "1\n"})
    here = "/repos/acme/shop"
    comment = await ask("POST", f"{here}/issues/1/comments", token=token, body={"body": "x"})
    deployment = await ask("POST", f"{here}/deployments", token=token, body={"ref": "change-1"})
    return Place(shop, ask, token, {"comments": comment.json()["id"], "deployments": deployment.json()["id"]})


def weaker(needs: tuple[str, ...]) -> dict[str, str]:
    """Everything but what is needed, and of that the next lower level."""
    named = dict(each.split("=") for each in needs)
    lower = {name: "read" for name, level in named.items() if level == "write"}
    return {name: level for name, level in EVERYTHING.items() if name not in named} | lower


def paths() -> Iterator[str]:
    github = SimulatedGitHub(Path("unused"))
    for route in api.routes(github):
        path = re.sub(r":(int|path)", "", route.path)
        yield from (f"{method} {path}" for method in (route.methods or set()) - {"HEAD"})


def test_the_table_holds_every_route_of_the_api() -> None:
    prefixes = ("/repos/{owner}/{name}", "/repositories/{repository}")
    routes = {each.replace(" ", f" {prefix}", 1) for each in NEEDS for prefix in prefixes}
    assert set(paths()) == routes | AS_APP | WITHOUT_PERMISSION


async def test_each_permission_that_is_enough_is_enough_by_itself(place: Place) -> None:
    for route, needs in NEEDS.items():
        for need in needs:
            name, _, level = need.partition("=")
            status, said = await place.answer(route, {name: level})
            assert status in (200, 201), (route, need, said)


async def test_nothing_else_and_nothing_weaker_is_enough(place: Place) -> None:
    for route, needs in NEEDS.items():
        assert await place.answer(route, weaker(needs)) == REFUSED, route
        assert await place.answer(route, {}) == REFUSED, route


async def test_a_token_for_less_can_do_less_though_the_app_may_do_more(place: Place) -> None:
    for route, needs in NEEDS.items():
        place.token = await place.ask.token(permissions=weaker(needs))
        assert await place.answer(route, EVERYTHING) == REFUSED, route


async def test_a_token_for_more_than_the_app_may_do_is_not_made(place: Place) -> None:
    path = f"/app/installations/{place.shop.github.state.installations['acme'].id}/access_tokens"
    for wanted in ({"contents": "write"}, {"actions": "read"}):
        answer = await place.ask("POST", path, token=place.ask.signed(), body={"permissions": wanted})
        assert (answer.status_code, answer.json()["message"]) == (
            422,
            "The permissions requested are not granted to this installation.",
        )


async def test_what_the_app_asks_as_itself_no_token_opens(place: Place) -> None:
    for route in sorted(AS_APP):
        method, _, path = route.partition(" ")
        path = path.format(id=1, owner="acme", name="shop", repository=place.shop.repository.id)
        assert (await place.ask(method, path, token=place.token)).status_code == 401, route


async def test_code_is_readable_with_contents_and_without_not(place: Place) -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(f"x-access-token:{place.token}".encode()).decode()}
    path = "/acme/shop.git/info/refs?service=git-upload-pack"
    assert (await place.ask.client.get(path, headers=basic)).status_code == 200
    place.shop.github.state.app.permissions = weaker(("contents=read",))
    assert (await place.ask.client.get(path, headers=basic)).status_code == 404
