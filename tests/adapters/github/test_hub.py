"""What GitHub's answers mean in core's words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from previewbot.core.model import Permission, Person
from previewbot.ports import DeploymentState, FailedDelivery, Reaction
from tests.adapters.github.scripted import NOW, PULL, SHOP, Scripted, hub, json, pull

DELIVERIES = "GET /app/hook/deliveries"
DEPLOYMENTS = "/repos/acme/shop/deployments"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"permission": "admin", "role_name": "admin"}, Permission.ADMIN),
        ({"permission": "write", "role_name": "maintain"}, Permission.WRITE),
        ({"permission": "write", "role_name": "write"}, Permission.WRITE),
        ({"permission": "read", "role_name": "triage"}, Permission.READ),
        ({"permission": "read", "role_name": "read"}, Permission.READ),
        ({"permission": "none", "role_name": "none"}, Permission.NONE),
        ({"permission": "write", "role_name": "release engineer"}, Permission.WRITE),
        ({"permission": "read", "role_name": "admins"}, Permission.READ),
        ({"permission": "write"}, Permission.WRITE),
        ({"permission": "write", "role_name": None}, Permission.WRITE),
        ({"permission": "owner of everything"}, Permission.NONE),
        ({}, Permission.NONE),
    ],
)
async def test_a_role_is_what_it_allows(answer: dict[str, Any], expected: Permission) -> None:
    github = Scripted()
    github.on("GET /repos/acme/shop/collaborators/ada/permission", json(answer))
    assert await hub(github).permission(SHOP, "ada") is expected


async def test_a_name_that_github_does_not_know_may_do_nothing() -> None:
    github = Scripted()
    github.on("GET /repos/acme/shop/collaborators/nobody/permission", json({"message": "Not Found"}, 404))
    assert await hub(github).permission(SHOP, "nobody") is Permission.NONE


@pytest.mark.parametrize("login", ["dependabot[bot]", "a/../../app", "ü ?#%", "x\ud800"])
async def test_an_odd_login_never_leaves_its_place_in_the_path(login: str) -> None:
    github = Scripted()
    with pytest.raises(Exception, match="nothing is written for"):
        await hub(github).permission(SHOP, login)
    path = github.requests[-1].url.raw_path.decode()
    assert path.startswith("/api/v3/repos/acme/shop/collaborators/")
    assert path.endswith("/permission")
    assert path.count("/") == 8
    assert "?" not in path


@pytest.mark.parametrize("login", ["", ".", ".."])
async def test_a_login_that_is_no_name_is_not_asked_for(login: str) -> None:
    github = Scripted()
    assert await hub(github).permission(SHOP, login) is Permission.NONE
    assert not github.requests


async def test_a_deleted_author_and_a_deleted_fork_are_still_readable() -> None:
    github = Scripted()
    head = {"ref": "topic", "sha": "a" * 40, "repo": None}
    github.on("GET /repos/acme/shop/pulls/42", json(pull(user=None, head=head, title=None, draft=None)))
    found = await hub(github).pull(SHOP, 42)
    assert found is not None
    assert (found.author, found.head_repository, found.is_fork) == (Person("ghost"), None, True)


async def test_an_app_as_author_is_told_apart_from_a_person() -> None:
    github = Scripted()
    github.on("GET /repos/acme/shop/pulls/42", json(pull(user={"login": "dependabot[bot]", "type": "Bot"})))
    found = await hub(github).pull(SHOP, 42)
    assert found is not None
    assert found.author == Person("dependabot[bot]", is_app=True)


async def test_a_deployment_of_another_app_is_left_alone() -> None:
    github = Scripted()
    github.on(f"GET {DEPLOYMENTS}", json([{"id": 1, "performed_via_github_app": {"id": 99}}]))
    github.on(f"POST {DEPLOYMENTS}", json({"id": 2}, 201))
    assert await hub(github).deploy(PULL, environment="pr-42-shop") == 2


async def test_a_deployment_that_was_deleted_between_two_questions_stands_no_more() -> None:
    github = Scripted()
    mine = {"id": 1, "payload": {"pull_request": 42}}
    others = [
        {"id": 2, "payload": "text"},
        {"id": 3},
        {"id": 4, "performed_via_github_app": {"id": 99}} | mine | {"id": 4},
    ]
    github.on(f"GET {DEPLOYMENTS}", json([mine, *others]))
    github.on(f"GET {DEPLOYMENTS}/1/statuses", json({}, 404))
    assert await hub(github).standing(PULL, environment="pr-42") == []


async def test_a_deployment_that_was_deleted_and_a_comment_that_is_gone_are_fine() -> None:
    github = Scripted()
    github.on(f"POST {DEPLOYMENTS}/3/statuses", json({}, 404))
    github.on("POST /repos/acme/shop/issues/comments/4/reactions", json({}, 404))
    await hub(github).report(SHOP, 3, DeploymentState.INACTIVE, url=None, log_url=None)
    await hub(github).react(SHOP, 4, Reaction.SEEN)
    assert len(github.sent(f"POST {DEPLOYMENTS}/3/statuses")) == 1


async def test_old_names_of_moved_files_count_as_changed() -> None:
    github = Scripted()
    files = [{"filename": "b.py", "previous_filename": "a.py"}, {"filename": "c.py"}]
    github.on("GET /repos/acme/shop/pulls/42/files", json(files))
    assert await hub(github).changed_paths(PULL) == ["b.py", "a.py", "c.py"]


async def test_only_deliveries_that_never_arrived_are_named_once_with_their_newest_attempt() -> None:
    def attempt(id: int, guid: str, minutes: int, status: int) -> dict[str, Any]:
        at = (NOW - timedelta(minutes=minutes)).isoformat()
        return {"id": id, "guid": guid, "delivered_at": at, "status_code": status}

    github = Scripted()
    link = '<https://github.test/api/v3/app/hook/deliveries?cursor=v1_9&per_page=100>; rel="next"'
    first = [attempt(9, "lost", 1, 502), attempt(8, "mended", 2, 202), attempt(7, "fine", 3, 200)]
    second = [
        attempt(6, "mended", 4, 500),
        attempt(5, "lost", 5, 0),
        attempt(4, "silent", 6, 0),
        attempt(3, "old", 90, 500),
    ]
    github.on(DELIVERIES, json(first, link=link), json(second, link=link))
    found = await hub(github).failed_deliveries(NOW - timedelta(hours=1))
    assert [(each.id, each.guid) for each in found] == [(4, "silent"), (9, "lost")]
    assert [each.url.params.get("cursor") for each in github.sent(DELIVERIES)] == [None, "v1_9"]


async def test_a_delivery_that_github_has_forgotten_is_fine() -> None:
    github = Scripted()
    github.on("POST /app/hook/deliveries/9/attempts", json({}, 404))
    await hub(github).redeliver(FailedDelivery(9, "lost", NOW))
    assert len(github.requests) == 1
