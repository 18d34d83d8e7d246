"""The life of a pull request, told through GitHub: what people read, and what runs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from previewbot.core.blueprint import Filters
from previewbot.core.errors import Refused
from previewbot.core.model import BuildState, InstanceState, ServiceSpec
from previewbot.engine.world import Policy
from tests.fakes.builder import Outcome
from tests.fakes.runtime import READY, Behaviour
from tests.stories.town import BLUEPRINT, Town

FAILING_HOOK = Behaviour(InstanceState.FAILED, "exits with code 1", ("no such table",))


async def test_an_opened_pull_request_is_served(city: Town) -> None:
    pull = await city.open()
    text = city.comment(pull)
    assert "**Preview is ready** · [pr-1-shop.localhost:8080](http://pr-1-shop.localhost:8080)" in text
    assert f"`{pull.sha[:7]}`" in text
    assert "| web | [open](http://pr-1-shop.localhost:8080) | ready |" in text
    assert "| api | inside | ready |" in text
    assert city.deployment(pull.sha) == "success"
    observed = await city.observed(pull)
    assert len(observed.releases) == 1
    assert list(observed.routes) == ["pr-1-shop.localhost"]


async def test_a_push_replaces_it_and_builds_only_what_changed(city: Town) -> None:
    pull = await city.open()
    first = pull.sha
    await city.push(pull, {"web/x": "2"})
    text = city.comment(pull)
    assert f"`{pull.sha[:7]}`" in text
    assert f"reused, unchanged since `{first[:7]}`" in text
    *both, last = [order.service for order in city.builder.orders]
    assert (sorted(both), last) == (["api", "web"], "web")
    assert len((await city.observed(pull)).releases) == 1
    assert (city.deployment(first), city.deployment(pull.sha)) == ("inactive", "success")


async def test_the_end_is_told_also_of_a_preview_that_no_record_tells_of(city: Town) -> None:
    pull = await city.open()
    city.github.hooks.lose = True
    city.github.close(city.hosted, pull)
    await city.store.forget(city.key(pull))
    await city.sweep()
    assert "**Preview removed** when the pull request was closed: 2 containers" in city.comment(pull)


async def test_a_push_of_the_same_tree_builds_nothing(city: Town) -> None:
    pull = await city.open()
    built = len(city.builder.orders)
    await city.push(pull, {})
    assert len(city.builder.orders) == built
    assert f"`{pull.sha[:7]}`" in city.comment(pull)


@pytest.mark.parametrize(("merge", "words"), [(False, "was closed"), (True, "was merged")])
async def test_the_end_leaves_nothing_and_says_so(city: Town, merge: bool, words: str) -> None:
    pull = await city.open()
    city.github.close(city.hosted, pull, merge=merge)
    await city.settle()
    assert (await city.observed(pull)).is_empty
    text = city.comment(pull)
    assert f"**Preview removed** when the pull request {words}: 2 containers" in text
    assert "served 1 commit" in text
    assert city.deployment(pull.sha) == "inactive"


async def test_a_reopened_pull_request_is_served_again(city: Town) -> None:
    pull = await city.open()
    city.github.close(city.hosted, pull)
    await city.settle()
    city.github.reopen(city.hosted, pull)
    await city.settle()
    assert "**Preview is ready**" in city.comment(pull)
    city.github.close(city.hosted, pull)
    await city.settle()
    assert "2 containers" in city.comment(pull)


async def test_a_stranger_gets_no_build_no_fetch_and_one_calm_comment(city: Town) -> None:
    for more in ({"author": "bob"}, {"author": "mallory"}, {"fork": "someone/shop"}, {"author": "renovate[bot]"}):
        if "bot" in more.get("author", ""):
            city.github.state.account("renovate[bot]", "Bot")
        pull = await city.open(**more)
        assert "**No preview for this pull request**" in city.comment(pull)
        await city.push(pull, {"web/x": "3"})
        assert len(city.comments(pull)) == 1
    assert city.builder.orders == []
    assert city.source.fetched == []
    assert city.hosted.deployments == []


async def test_an_author_who_loses_the_permission_loses_the_preview(city: Town) -> None:
    pull = await city.open()
    city.github.allow(city.hosted, "alice", "read")
    await city.push(pull, {"web/x": "4"})
    assert (await city.observed(pull)).is_empty
    assert "no write permission" in city.comment(pull)
    assert "Its earlier preview was removed: 2 containers" in city.comment(pull)


async def test_a_failed_build_shows_its_last_lines_and_keeps_the_good_version(city: Town) -> None:
    pull = await city.open()
    good = pull.sha
    city.builder.outcome = lambda _: Outcome(BuildState.FAILED, "step 4/9 `RUN make`", ("boom",))
    await city.push(pull, {"web/x": "5"})
    text = city.comment(pull)
    assert "failed** in service **web**, at step 4/9 `RUN make`" in text
    assert "```text\nboom\n```" in text
    assert f"The last good version `{good[:7]}` is still at" in text
    assert city.deployment(pull.sha) == "failure"
    assert (await city.observed(pull)).routes
    city.builder.outcome = lambda _: Outcome()
    await city.push(pull, {"web/x": "6"})
    assert "**Preview is ready**" in city.comment(pull)


async def test_a_crashing_release_never_takes_over_and_shows_its_last_words(city: Town) -> None:
    pull = await city.open()
    good = (await city.observed(pull)).routes
    city.runtime.behave = lambda spec: (
        Behaviour(InstanceState.FAILED, "exits with code 1, 3 times in 4 s", ("KeyError: 'STRIPE_KEY'",))
        if spec.name == "api"
        else Behaviour()
    )
    await city.push(pull, {"api/x": "7"})
    text = city.comment(pull)
    assert "does not stay up**: service **api** exits with code 1, 3 times in 4 s" in text
    assert "KeyError: 'STRIPE_KEY'" in text
    assert "It is given no `STRIPE_KEY`: add it to the service's `env` or `secrets` in `previewbot.yaml`" in text
    observed = await city.observed(pull)
    assert observed.routes == good
    assert len(observed.releases) == 1


async def test_a_push_leaves_running_what_it_does_not_touch_and_a_redeploy_nothing(city: Town) -> None:
    async def addresses() -> dict[str, str | None]:
        (release,) = (await city.observed(pull)).releases
        return {each.service: each.address for each in release.instances}

    pull = await city.open()
    before = await addresses()
    await city.push(pull, {"web/x": "7"})
    pushed = await addresses()
    assert {name for name in before if before[name] == pushed[name]} == {"api"}
    await city.say(pull, "alice", "/redeploy")
    asked = await addresses()
    assert not {name for name in asked if asked[name] == pushed[name]}


async def test_a_flaw_changes_nothing_and_says_where_it_is(city: Town) -> None:
    pull = await city.open()
    await city.push(pull, {"previewbot.yaml": BLUEPRINT.replace("port: 8080", "prot: 8080")})
    text = city.comment(pull)
    assert "**previewbot.yaml has a flaw**" in text
    assert "`previewbot.yaml:3:21` unknown key `prot` in service `web`; did you mean `port`?" in text
    assert (await city.observed(pull)).routes


async def test_a_hostile_source_is_refused_with_its_reason(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT.replace("build: api", "build: nowhere")})
    assert "the build context `nowhere` is not a folder of this commit" in city.comment(pull)
    assert city.builder.orders == []


async def test_without_a_blueprint_a_dockerfile_is_enough_and_without_both_nobody_is_bothered(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": None, "Dockerfile": "FROM a\nEXPOSE 3000\n"})
    assert "**Preview is ready**" in city.comment(pull)
    other = await city.open(files={"previewbot.yaml": None})
    assert city.comments(other) == []
    await city.say(other, "alice", "/redeploy")
    assert "neither a previewbot.yaml nor a Dockerfile" in city.comment(other)


async def test_redeploy_builds_from_scratch_and_tells_who_asked(city: Town) -> None:
    pull = await city.open()
    before = (await city.observed(pull)).releases[0].revision
    assert await city.say(pull, "alice", "/redeploy") == ["eyes", "+1"]
    assert [order.fresh for order in city.builder.orders] == [False, False, True, True]
    (after,) = (await city.observed(pull)).releases
    assert after.revision != before
    assert len(city.comments(pull)) == 1


async def test_only_those_who_may_write_are_obeyed(city: Town) -> None:
    pull = await city.open()
    built = len(city.builder.orders)
    for login in ("bob", "mallory"):
        assert await city.say(pull, login, "/redeploy") == ["-1"]
    assert len(city.builder.orders) == built


async def test_help_is_answered_once_and_so_is_a_near_miss(city: Town) -> None:
    pull = await city.open()
    assert await city.say(pull, "alice", "/help") == ["+1"]
    assert await city.say(pull, "alice", "/redploy") == ["+1"]
    assert await city.say(pull, "alice", "/lgtm") == []
    answers = [each.body for each in pull.comments if "previewbot:answer" in each.body]
    assert len(answers) == 2
    assert "That is not a command of previewbot" in answers[1]


async def test_drafts_and_labels(city: Town) -> None:
    pull = await city.open(draft=True)
    assert "it is a draft" in city.comment(pull)
    assert "Mark it ready for review, or add the label `preview`" in city.comment(pull)
    city.github.label(city.hosted, pull, "preview")
    await city.settle()
    assert "**Preview is ready**" in city.comment(pull)
    city.github.label(city.hosted, pull, "no-preview")
    await city.settle()
    assert "it carries the label `no-preview`" in city.comment(pull)
    assert (await city.observed(pull)).is_empty


async def test_paths_that_need_no_preview(city: Town) -> None:
    city.policy = Policy(filters=Filters(paths=("web/*",)))
    pull = await city.open(files={"docs/a.md": "x"})
    assert "it changes none of the paths that need one (`web/*`)" in city.comment(pull)
    await city.push(pull, {"web/x": "8"})
    assert "**Preview is ready**" in city.comment(pull)


async def test_a_closing_that_nobody_told_of_is_found_by_the_sweep(city: Town) -> None:
    pull = await city.open()
    city.github.hooks.lose = True
    city.github.close(city.hosted, pull)
    await city.settle()
    assert (await city.observed(pull)).routes
    city.clock.ahead += timedelta(minutes=10)
    await city.sweep()
    assert (await city.observed(pull)).is_empty
    assert "GitHub's webhook did not arrive" in city.comment(pull)


async def test_an_opening_that_nobody_told_of_is_found_by_the_sweep(city: Town) -> None:
    city.github.hooks.lose = True
    pull = await city.open()
    assert city.comments(pull) == []
    await city.sweep()
    assert "**Preview is ready**" in city.comment(pull)


async def test_lost_deliveries_are_asked_for_again(city: Town) -> None:
    city.github.hooks.lose = True
    await city.open()
    city.github.hooks.lose = False
    await city.sweep()
    await city.github.hooks.settle()
    again = [each for each in city.github.state.attempts if each.redelivery]
    assert again
    assert all(each.status_code == 202 for each in again)
    await city.sweep()
    assert len([each for each in city.github.state.attempts if each.redelivery]) == len(again)


async def test_images_that_nobody_wants_go_with_what_is_remembered_of_them(city: Town) -> None:
    pull = await city.open()
    web, api = (order.image for order in city.builder.orders)
    city.builder.used = {api}
    city.github.close(city.hosted, pull)
    await city.settle()
    await city.sweep()
    assert {each.image for each in await city.builder.images()} == {web, api}
    city.clock.ahead += city.policy.keep_images + timedelta(minutes=1)
    await city.sweep()
    assert {each.image for each in await city.builder.images()} == {api}
    assert set(await city.store.unused_images(city.clock.now())) == {api}
    city.builder.used.clear()
    await city.sweep()
    assert await city.builder.images() == []
    assert await city.store.unused_images(city.clock.now()) == ()


async def test_where_images_cannot_be_deleted_that_is_told_once_and_tried_again(city: Town) -> None:
    pull = await city.open()
    city.github.close(city.hosted, pull)
    await city.settle()
    city.clock.ahead += city.policy.keep_history + timedelta(minutes=1)
    city.builder.refusal = Refused("runtime_refused", "The registry deletes nothing.")
    with capture_logs() as logs:
        await city.sweep()
        await city.sweep()
    assert [each["why"] for each in logs if each["event"] == "images kept"] == ["The registry deletes nothing."]
    assert len(await city.builder.images()) == 2
    assert not await city.store.records()
    city.builder.refusal = None
    await city.sweep()
    assert not await city.builder.images()


@pytest.mark.parametrize("whole", [False, True])
async def test_an_uninstalled_repository_loses_all_its_environments(city: Town, whole: bool) -> None:
    pulls = [await city.open(), await city.open()]
    city.github.uninstall(None if whole else city.hosted)
    await city.settle()
    await city.sweep()
    for pull in pulls:
        assert (await city.observed(pull)).is_empty


async def test_things_deleted_by_hand_come_back(city: Town) -> None:
    pull = await city.open()
    (running,) = (await city.observed(pull)).releases
    await city.runtime.remove(city.key(pull), running.revision)
    await city.store.add([city.key(pull)], city.clock.now())
    await city.settle()
    observed = await city.observed(pull)
    assert observed.release(running.revision)
    assert "**Preview is ready**" in city.comment(pull)


async def test_orphans_of_a_lost_database_are_found_and_removed(city: Town) -> None:
    pull = await city.open()
    await city.store.forget(city.key(pull))
    city.github.hooks.lose = True
    city.github.close(city.hosted, pull)
    await city.sweep()
    assert (await city.observed(pull)).is_empty


@pytest.mark.parametrize("machine", ["still has it", "was lost as well"])
async def test_what_github_still_shows_of_a_lost_record_is_ended(city: Town, machine: str) -> None:
    pull = await city.open()
    first = pull.sha
    if machine == "was lost as well":
        await city.runtime.delete(city.key(pull))
        await city.front_door.route(city.key(pull), {})
    await city.store.forget(city.key(pull))
    city.github.close(city.hosted, pull)
    await city.settle()
    assert city.deployment(first) == "inactive"
    assert "**Preview removed** when the pull request was closed" in city.comment(pull)


async def test_a_push_after_the_record_was_lost_ends_the_deployments_before_it_and_no_other(city: Town) -> None:
    pull, other = await city.open(), await city.open(files={"web/x": "another"})
    first = pull.sha
    await city.store.forget(city.key(pull))
    await city.say(pull, "alice", "/redeploy")
    assert city.deployment(first) == "success", "the deployment of its own commit is found again"
    await city.store.forget(city.key(pull))
    await city.push(pull, {"web/x": "2"})
    assert (city.deployment(first), city.deployment(pull.sha)) == ("inactive", "success")
    assert city.deployment(other.sha) == "success"


async def test_two_apps_of_one_name_get_hosts_of_their_own(city: Town) -> None:
    pull = await city.open()
    other = await city.github.create_repository("other/shop", {"Dockerfile": "FROM a\n"})
    city.github.allow(other, "alice", "write")
    twin = await city.github.open_pull(other, author="alice", title="x", files={"y": "1"})
    await city.settle()
    assert (await city.observed(pull)).routes.keys() == {"pr-1-shop.localhost"}
    assert f"pr-1-shop-{other.id}.localhost" in twin.comments[0].body


@pytest.mark.parametrize("name", ["acme/store", "other/store"], ids=["renamed", "transferred"])
@pytest.mark.parametrize("is_told", [True, False], ids=["told", "untold"])
async def test_a_repository_with_another_name_or_owner_keeps_its_preview(city: Town, name: str, is_told: bool) -> None:
    await city.github.create_repository("other/thing", {"a": "1"})
    pull = await city.open()
    first = pull.sha
    city.github.hooks.lose = not is_told
    city.github.rename(city.hosted, name)
    await city.settle()
    city.github.hooks.lose = False
    assert (await city.observed(pull)).routes
    await city.push(pull, {"web/x": "9"})
    text = city.comment(pull)
    assert "**Preview is ready**" in text
    assert f"`{pull.sha[:7]}`" in text
    assert (city.deployment(first), city.deployment(pull.sha)) == ("inactive", "success")
    observed = await city.observed(pull)
    assert (len(observed.releases), len(observed.routes)) == (1, 1)


async def test_a_rename_in_the_middle_of_a_build_is_no_trouble(city: Town) -> None:
    pull = await city.open()
    city.clock.ahead += timedelta(seconds=10)  # then GitHub takes a comment again that is not final
    city.builder.outcome = lambda _: None
    await city.github.push(city.hosted, pull, {"web/x": "9"})
    await city.github.hooks.settle()
    await city.worker.drain()
    (image,) = city.builder.running()
    assert "**Building" in city.comment(pull)
    city.github.rename(city.hosted, "acme/store")
    await city.github.hooks.settle()
    await city.worker.drain()
    assert list(city.builder.running()) == [image]
    await city.builder.finish(image)
    await city.settle()
    assert "**Preview is ready**" in city.comment(pull)
    assert f"`{pull.sha[:7]}`" in city.comment(pull)


async def test_a_repeated_delivery_changes_nothing(city: Town) -> None:
    pull = await city.open()
    written = len(city.github.requests)
    for attempt in list(city.github.state.attempts):
        city.github.hooks.again(attempt.id)
    await city.github.hooks.settle()
    await city.settle()
    assert len(city.github.requests) == written
    assert len(city.comments(pull)) == 1


async def test_a_settled_pull_request_costs_no_writes(city: Town) -> None:
    pull = await city.open()
    before = len(city.github.requests)
    await city.store.add([city.key(pull)], city.clock.now())
    await city.settle()
    assert {method for method, _ in city.github.requests[before:]} <= {"GET"}


async def test_a_push_costs_few_writes(city: Town) -> None:
    pull = await city.open()
    before = len(city.github.requests)
    await city.push(pull, {"web/x": "10"})
    writes = [each for each in city.github.requests[before:] if each[0] != "GET" and "access_tokens" not in each[1]]
    assert len(writes) <= 6, writes


async def test_the_engine_being_away_is_told_after_a_while_and_forgotten_when_it_is_back(city: Town) -> None:
    pull = await city.open()
    city.runtime.go_away()
    await city.github.push(city.hosted, pull, {"web/x": "11"})
    await city.github.hooks.settle()
    for _ in range(6):
        await city.worker.drain()
        due = await city.store.next_due()
        assert due
        city.clock.ahead += max(due - city.clock.now(), timedelta(0))
    assert f"**previewbot is waiting** with `{pull.sha[:7]}`" in city.comment(pull)
    city.runtime.come_back()
    await city.settle()
    assert "**Preview is ready**" in city.comment(pull)
    assert f"`{pull.sha[:7]}`" in city.comment(pull)


async def test_hostile_titles_and_names_do_no_harm(city: Town) -> None:
    pull = await city.open(files={"a\"'$(touch x);`": "1"})
    pull.title = "$(rm -rf /) <script> @everyone"
    pull.head_ref = "--upload-pack=touch"
    await city.push(pull, {"web/x": "12"})
    assert "**Preview is ready**" in city.comment(pull)


async def test_the_destroy_hook_runs_before_the_end_and_its_failure_changes_nothing(city: Town) -> None:
    pull = await city.open(
        files={"previewbot.yaml": f"{BLUEPRINT}hooks: {{destroy: {{service: web, command: [bye]}}}}\n"}
    )
    assert "**Preview is ready**" in city.comment(pull)
    ran: list[str] = []

    def fail(spec: ServiceSpec) -> Behaviour:
        ran.append(spec.name)
        return FAILING_HOOK

    city.runtime.behave = fail
    city.github.close(city.hosted, pull)
    await city.settle()
    assert ran == ["hook.destroy"]
    text = city.comment(pull)
    assert "**Preview removed**" in text
    said = re.search(r" Its destroy hook exits with code 1 \(\[what it said\]\(\S+/logs/(\S+)\)\)\.", text)
    assert said
    assert city.world.logs.path(said[1]).read_text() == f"--- hook.destroy\n{FAILING_HOOK.says[0]}\n"
    assert (await city.observed(pull)).is_empty


async def test_a_failed_release_hook_is_told_with_its_last_words_and_mended_by_a_push(city: Town) -> None:
    pull = await city.open(files={})
    city.runtime.behave = lambda spec: FAILING_HOOK if spec.hook else READY
    hook = "hooks: {release: {service: web, command: [migrate]}}"
    await city.push(pull, {"previewbot.yaml": f"{BLUEPRINT}{hook}\n"})
    text = city.comment(pull)
    assert "could not be released**: its release hook exits with code 1" in text
    assert "exits with code 1" in text
    assert "no such table" in text
    assert "hook.release" not in text
    assert "no such table" in _log(city, text)
    city.runtime.behave = lambda spec: replace(READY, says=("42 migrations",)) if spec.hook else READY
    await city.push(pull, {"web/x": "2"})
    assert "**Preview is ready**" in city.comment(pull)
    assert _log(city, city.comment(pull)) == "--- hook.release\n42 migrations\n"


def _log(city: Town, text: str) -> str:
    """What stands on the page that a comment calls its log."""
    name = text.partition("[log](")[2].partition(")")[0].rpartition("/")[2]
    return city.world.logs.path(name).read_text()


async def test_an_output_that_cannot_be_kept_is_no_reason_not_to_serve(city: Town, tmp_path: Path) -> None:
    class Nowhere:
        def path(self, log: str) -> Path:
            return tmp_path / "none" / f"{log}.log"

    city.world = replace(city.world, logs=Nowhere())
    city.runtime.behave = lambda spec: replace(READY, says=("42 migrations",)) if spec.hook else READY
    hook = "hooks: {release: {service: web, command: [migrate]}}"
    pull = await city.open(files={"previewbot.yaml": f"{BLUEPRINT}{hook}\n"})
    assert "**Preview is ready**" in city.comment(pull)
    assert "[log](" not in city.comment(pull)
