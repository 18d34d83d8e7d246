"""``app-manifest.yml`` asks for exactly what previewbot uses, and for nothing that GitHub would refuse."""

from __future__ import annotations

import re
from typing import Any

import pytest

from previewbot.cli.manifest import read_manifest
from previewbot.ports import DeploymentState, FailedDelivery, Reaction
from tests.adapters.github.scripted import NOW, PULL, SHOP, Scripted, hub, json, pull

LEVELS = ("read", "write", "admin")

ENDPOINTS = {
    r"GET /installation/repositories": ("metadata", "read"),
    r"GET /repos/[^/]+/[^/]+/pulls": ("pull_requests", "read"),
    r"GET /repos/[^/]+/[^/]+/pulls/\d+": ("pull_requests", "read"),
    r"GET /repos/[^/]+/[^/]+/pulls/\d+/files": ("pull_requests", "read"),
    r"GET /repos/[^/]+/[^/]+/collaborators/[^/]+/permission": ("metadata", "read"),
    r"GET /repos/[^/]+/[^/]+/issues/\d+/comments": ("pull_requests", "read"),
    r"POST /repos/[^/]+/[^/]+/issues/\d+/comments": ("pull_requests", "write"),
    r"PATCH /repos/[^/]+/[^/]+/issues/comments/\d+": ("pull_requests", "write"),
    r"POST /repos/[^/]+/[^/]+/issues/comments/\d+/reactions": ("pull_requests", "write"),
    r"GET /repos/[^/]+/[^/]+/deployments": ("deployments", "read"),
    r"POST /repos/[^/]+/[^/]+/deployments": ("deployments", "write"),
    r"POST /repos/[^/]+/[^/]+/deployments/\d+/statuses": ("deployments", "write"),
}
"""What an installation token needs, on a pull request, as GitHub lists it:
https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
"""
AS_APP = r"(GET /app(/.*)?|POST /app/.*|GET /repos/[^/]+/[^/]+/installation)"
"""What the App does as itself, for which no permission exists."""
EVENTS = {"issue_comment": "issues", "pull_request": "pull_requests", "push": "contents", "repository": "metadata"}
"""Which permission GitHub wants before a manifest may subscribe to an event ("Default events are not supported by
permissions" otherwise): https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""
BY_THEMSELVES = {"installation", "installation_repositories", "github_app_authorization", "ping"}


async def everything() -> list[str]:
    """Do all that the client can do, and tell every request that it made."""
    github = Scripted()
    base = "/repos/acme/shop"
    answers: dict[str, Any] = {
        f"GET {base}/pulls/42": pull(),
        f"GET {base}/pulls": [pull()],
        f"GET {base}/pulls/42/files": [],
        f"GET {base}/collaborators/ada/permission": {"permission": "write"},
        f"GET {base}/issues/42/comments": [],
        f"POST {base}/issues/42/comments": {"id": 1},
        f"PATCH {base}/issues/comments/1": {"id": 1},
        f"POST {base}/issues/comments/1/reactions": {"id": 1},
        f"GET {base}/deployments": [],
        f"POST {base}/deployments": {"id": 1},
        f"POST {base}/deployments/1/statuses": {"id": 1},
        "GET /app": {"id": 12345, "slug": "previewbot"},
        "GET /app/hook/deliveries": [],
        "POST /app/hook/deliveries/1/attempts": {},
    }
    for what, answer in answers.items():
        github.on(what, json(answer))
    client = hub(github)
    await client.repositories()
    await client.repository(SHOP.id)
    await client.pull(SHOP, 42)
    await client.open_pulls(SHOP)
    await client.permission(SHOP, "ada")
    await client.changed_paths(PULL)
    await client.comment(PULL, "<!-- m -->", "text <!-- m -->", known=None, final=True)
    await client.comment(PULL, "<!-- m -->", "text <!-- m -->", known=1, final=True)
    await client.deploy(PULL, environment="pr-42")
    await client.report(SHOP, 1, DeploymentState.SUCCESS, url="http://localhost", log_url=None)
    await client.react(SHOP, 1, Reaction.SEEN)
    await client.failed_deliveries(NOW)
    await client.redeliver(FailedDelivery(1, "guid", NOW))
    await client.describe()
    return [f"{each.method} {each.url.path.removeprefix('/api/v3')}" for each in github.requests]


async def test_the_permissions_are_exactly_those_used() -> None:
    needs = [("contents", "read")]  # git over HTTP, in adapters/git
    needs += [(EVENTS[event], "read") for event in read_manifest()["default_events"]]
    for request in await everything():
        if re.fullmatch(AS_APP, request):
            continue
        found = [need for pattern, need in ENDPOINTS.items() if re.fullmatch(pattern, request)]
        assert len(found) == 1, f"nobody wrote down what {request} needs"
        needs += found
    used = {name: max((level for each, level in needs if each == name), key=LEVELS.index) for name, _ in needs}
    assert read_manifest()["default_permissions"] == used


async def test_every_endpoint_that_is_written_down_is_used() -> None:
    requests = await everything()
    assert [each for each in ENDPOINTS if not any(re.fullmatch(each, request) for request in requests)] == []


def test_the_app_hears_what_previewbot_reads_and_asks_for_nothing_that_comes_by_itself() -> None:
    asked = read_manifest()["default_events"]
    assert sorted(asked) == sorted(EVENTS)
    assert not BY_THEMSELVES & set(asked)


@pytest.mark.parametrize("name", ["name", "url", "hook_attributes", "redirect_url", "default_permissions"])
def test_the_manifest_says_what_github_asks_for(name: str) -> None:
    assert read_manifest()[name]


def test_the_app_is_private_to_its_owner() -> None:
    assert read_manifest()["public"] is False
