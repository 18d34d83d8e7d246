"""The real client against the simulated GitHub: what the engine needs of GitHub is what it gets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import SystemClock
from previewbot.cli.manifest import read_manifest
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Permission, PullRequest
from previewbot.demo.github.faults import Kind
from previewbot.demo.github.state import Pull
from previewbot.ports import DeploymentState, Reaction
from tests.fixtures.github import Shop

MARK = "<!-- previewbot:test -->"


async def opened(shop: Shop, *, fork: str | None = None, draft: bool = False) -> Pull:
    files = {"index.html": "changed\n"}
    return await shop.github.open_pull(
        shop.repository, author="alice", title="A change", files=files, fork=fork, draft=draft
    )


async def read(shop: Shop, hub: GitHubHub, pull: Pull) -> PullRequest:
    repository = await hub.repository(shop.repository.id)
    assert repository
    found = await hub.pull(repository, pull.number)
    assert found
    return found


async def test_a_pull_request_is_read_with_everything_that_is_decided_by(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop, draft=True)
    shop.github.label(shop.repository, made, "preview")
    found = await read(shop, hub, made)
    assert (found.key.repository, found.key.number) == (shop.repository.id, 1)
    assert found.head_commit == made.sha
    assert found.author.login == "alice"
    assert found.labels == {"preview"}
    assert (found.is_open, found.is_draft, found.is_fork, found.is_merged) == (True, True, False, False)
    assert list(await hub.changed_paths(found)) == ["index.html"]


async def test_a_fork_is_a_fork_and_so_is_one_that_is_gone(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop, fork="someone/shop")
    found = await read(shop, hub, made)
    assert (found.is_fork, found.head_full_name) == (True, "someone/shop")
    made.head_repository = None
    assert (await read(shop, hub, made)).is_fork


async def test_merged_and_closed_are_told_apart(shop: Shop, hub: GitHubHub) -> None:
    merged, closed = await opened(shop), await opened(shop)
    shop.github.close(shop.repository, merged, merge=True)
    shop.github.close(shop.repository, closed)
    assert (await read(shop, hub, merged)).is_merged
    found = await read(shop, hub, closed)
    assert (found.is_open, found.is_merged) == (False, False)
    assert found.closed_at


async def test_what_is_not_there_is_none(shop: Shop, hub: GitHubHub) -> None:
    repository = await hub.repository(shop.repository.id)
    assert repository
    assert await hub.pull(repository, 99) is None
    assert await hub.repository(424242) is None


async def test_open_pulls_are_listed_over_all_pages(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    for number in range(2, 140):
        shop.repository.pulls[number] = Pull(
            number, number, "x", "alice", "b", "main", made.commits, made.created_at, shop.repository.id
        )
    repository = await hub.repository(shop.repository.id)
    assert repository
    assert len(await hub.open_pulls(repository)) == 139


@pytest.mark.parametrize(
    ("login", "permission"),
    [("alice", Permission.WRITE), ("bob", Permission.READ), ("stranger", Permission.NONE), ("a/b?c", Permission.NONE)],
)
async def test_permissions(shop: Shop, hub: GitHubHub, login: str, permission: Permission) -> None:
    repository = await hub.repository(shop.repository.id)
    assert repository
    assert await hub.permission(repository, login) is permission


async def test_one_comment_however_many_write_it_at_once(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    pull = await read(shop, hub, made)
    ids = await asyncio.gather(
        *(hub.comment(pull, MARK, f"{MARK}\n{text}", known=None, final=True) for text in ("one", "two", "three"))
    )
    assert len(set(ids)) == 1
    assert len(made.comments) == 1


async def test_a_comment_that_was_deleted_is_written_anew(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    pull = await read(shop, hub, made)
    first = await hub.comment(pull, MARK, f"{MARK}\none", known=None, final=True)
    made.comments.clear()
    second = await hub.comment(pull, MARK, f"{MARK}\ntwo", known=first, final=True)
    assert second != first
    assert [each.body for each in made.comments] == [f"{MARK}\ntwo"]


async def test_somebody_elses_comment_with_our_marker_is_left_alone(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    shop.github.comment(shop.repository, made, "bob", f"{MARK}\nmine")
    pull = await read(shop, hub, made)
    await hub.comment(pull, MARK, f"{MARK}\nours", known=None, final=True)
    assert [each.body for each in made.comments] == [f"{MARK}\nmine", f"{MARK}\nours"]


async def test_one_deployment_for_a_commit_and_its_states(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    pull = await read(shop, hub, made)
    first = await hub.deploy(pull, environment="pr-1")
    assert await hub.deploy(pull, environment="pr-1") == first
    await hub.report(pull.repository, first, DeploymentState.SUCCESS, url="http://x", log_url=None)
    (deployment,) = shop.repository.deployments
    assert (deployment.sha, deployment.environment) == (made.sha, "pr-1")
    assert [(each.state, each.environment_url) for each in deployment.statuses] == [("success", "http://x")]


async def test_deployments_that_are_not_inactive_are_found_and_only_ours(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    pull = await read(shop, hub, made)
    ended = await hub.deploy(pull, environment="pr-1")
    await hub.report(pull.repository, ended, DeploymentState.INACTIVE, url=None, log_url=None)
    await shop.github.push(shop.repository, made, {"x": "2"})
    pull = await read(shop, hub, made)
    begun = await hub.deploy(pull, environment="pr-1")
    assert await hub.standing(pull, environment="pr-1") == [begun]
    await hub.report(pull.repository, begun, DeploymentState.FAILURE, url=None, log_url=None)
    assert await hub.standing(pull, environment="pr-1") == [begun]
    assert not await hub.standing(pull, environment="pr-10")
    shop.repository.deployments[-1].payload = {"made": "by somebody's script"}
    assert not await hub.standing(pull, environment="pr-1")


async def test_reactions(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    comment = shop.github.comment(shop.repository, made, "alice", "/redeploy")
    pull = await read(shop, hub, made)
    for _ in range(2):
        await hub.react(pull.repository, comment.id, Reaction.SEEN)
    assert [(each.author, each.content) for each in comment.reactions] == [("previewbot[bot]", "eyes")]
    await hub.react(pull.repository, 424242, Reaction.SEEN)


async def test_lost_deliveries_are_found_once_and_asked_for_again(shop: Shop, hub: GitHubHub) -> None:
    shop.github.state.app.hook_url = "http://127.0.0.1:1/webhook"
    await opened(shop)
    await shop.github.hooks.settle()
    since = SystemClock().now() - timedelta(minutes=5)
    (failed,) = await hub.failed_deliveries(since)
    await hub.redeliver(failed)
    await shop.github.hooks.settle()
    assert [each.redelivery for each in shop.github.state.attempts] == [False, True]
    shop.github.state.attempts[-1].status_code = 202
    assert list(await hub.failed_deliveries(since)) == []


async def test_a_renamed_repository_is_the_same_one(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    await read(shop, hub, made)
    shop.github.rename(shop.repository, "acme/store")
    found = await read(shop, hub, made)
    assert found.repository.full_name == "acme/store"
    assert not found.is_fork


async def test_an_uninstalled_repository_is_gone(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    repository = (await read(shop, hub, made)).repository
    shop.github.uninstall(shop.repository)
    assert await hub.pull(repository, made.number) is None
    assert await hub.repository(shop.repository.id) is None


@pytest.mark.parametrize("kind", [500, 502, "half", "empty", "html", "drop", "cut"])
async def test_bad_weather_is_transient_and_passes(shop: Shop, hub: GitHubHub, kind: Kind) -> None:
    made = await opened(shop)
    repository = (await read(shop, hub, made)).repository
    shop.github.faults.add("GET", "/pulls/1", kind, times=5)
    with pytest.raises(Transient):
        await hub.pull(repository, 1)
    shop.github.faults.pending.clear()
    assert await hub.pull(repository, 1)


@pytest.mark.parametrize("kind", ["primary", "primary-429", "secondary", "secondary-429"])
async def test_a_limit_lasts_as_long_as_github_says(shop: Shop, hub: GitHubHub, kind: Kind) -> None:
    made = await opened(shop)
    repository = (await read(shop, hub, made)).repository
    shop.github.faults.wait = 900
    shop.github.faults.add("GET", "/pulls/1", kind)
    with pytest.raises(Transient) as caught:
        await hub.pull(repository, 1)
    assert caught.value.retry_after
    assert timedelta(seconds=890) < caught.value.retry_after <= timedelta(seconds=900)
    assert await hub.pull(repository, 1)


async def test_a_spent_allowance_is_waited_for(shop: Shop, hub: GitHubHub) -> None:
    made = await opened(shop)
    repository = (await read(shop, hub, made)).repository
    shop.github.limits.hourly = shop.github.limits.left(shop.github.state.installations["acme"].id).used
    with pytest.raises(Transient) as caught:
        await hub.pull(repository, 1)
    assert caught.value.retry_after
    assert timedelta(minutes=58) < caught.value.retry_after <= timedelta(hours=1)


@pytest.mark.parametrize("kind", ["drop", "cut"])
async def test_a_comment_whose_answer_was_lost_is_found_and_not_written_again(
    shop: Shop, hub: GitHubHub, kind: Kind
) -> None:
    made = await opened(shop)
    pull = await read(shop, hub, made)
    shop.github.faults.add("POST", "/comments", kind, after=True)
    with pytest.raises(Transient):
        await hub.comment(pull, MARK, f"{MARK}\none", known=None, final=True)
    assert await hub.comment(pull, MARK, f"{MARK}\none", known=None, final=True) == made.comments[0].id
    assert len(made.comments) == 1


async def test_the_app_describes_itself(shop: Shop, hub: GitHubHub) -> None:
    found = await hub.describe()
    assert (found.id, found.slug, found.installations) == (12345, "previewbot", 1)
    assert dict(found.permissions) == shop.github.state.app.permissions


async def test_an_app_that_github_does_not_know_is_refused_with_what_to_check(shop: Shop) -> None:
    credentials = AppCredentials(99999, shop.github.state.app.pem, "http://github.test")
    transport = httpx.ASGITransport(shop.github.app)
    stranger = GitHubHub(credentials, clock=SystemClock(), transport=transport)
    with pytest.raises(Refused, match=r"Integration not found\. Check the App's id"):
        await stranger.repository(shop.repository.id)
    await stranger.aclose()


async def everything(shop: Shop, hub: GitHubHub, made: Pull) -> None:
    """One of each thing that previewbot does on GitHub."""
    pull = await read(shop, hub, made)
    await hub.permission(pull.repository, "alice")
    await hub.changed_paths(pull)
    await hub.open_pulls(pull.repository)
    asked = shop.github.comment(shop.repository, made, "alice", "/redeploy")
    await hub.react(pull.repository, asked.id, Reaction.SEEN)
    await hub.comment(pull, MARK, f"{MARK}\none", known=None, final=True)
    deployment = await hub.deploy(pull, environment="pr-1")
    await hub.report(pull.repository, deployment, DeploymentState.SUCCESS, url=None, log_url=None)
    await hub.standing(pull, environment="pr-1")


async def test_the_manifests_permissions_are_enough(shop: Shop, hub: GitHubHub) -> None:
    shop.github.state.app.permissions = dict(read_manifest()["default_permissions"])
    await everything(shop, hub, await opened(shop))


@pytest.mark.parametrize("name", ["deployments", "metadata", "pull_requests"])
async def test_and_none_of_them_is_too_much(shop: Shop, hub: GitHubHub, name: str) -> None:
    """Contents is what git needs, and issues what the event needs: the API has no say there."""
    made = await opened(shop)
    shop.github.state.app.permissions = {
        each: level for each, level in read_manifest()["default_permissions"].items() if each != name
    }
    with pytest.raises(Refused, match=rf"Resource not accessible by integration \(it needs .*{name}=(read|write)\)"):
        await everything(shop, hub, made)


async def test_git_is_served_for_a_token_and_not_without(shop: Shop, hub: GitHubHub, tmp_path: Path) -> None:
    """Over a real socket in ``tests/stories``; here only who is let in."""
    repository = await hub.repository(shop.repository.id)
    assert repository
    credential = await hub.credential(repository)
    transport = httpx.ASGITransport(shop.github.app)
    url = "http://github.test/acme/shop.git/info/refs?service=git-upload-pack"
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get(url)).status_code == 401
        answer = await client.get(url, auth=("x-access-token", credential.token))
        assert answer.status_code == 200
        assert b"refs/heads/main" in answer.content
        assert (await client.get(url, auth=("x-access-token", "wrong"))).status_code == 401
