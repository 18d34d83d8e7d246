"""What should run: filters, host names, and releases whose identity is exactly their content."""

from __future__ import annotations

from dataclasses import replace

import pytest

from previewbot.core.blueprint import Blueprint, Build, Filters, Health, Hook, Hooks, Kind, Secret, Service
from previewbot.core.desire import (
    FALLBACK_FILTERS,
    Absent,
    Address,
    Basis,
    closed,
    filtered,
    host_names,
    image_of,
    overlay,
    present,
)
from previewbot.core.model import PullRequest, Reason, Redeploy
from previewbot.core.secrets import Seal, SecretName, Versions
from tests.core.facts import API, BLUEPRINT, COMMIT, OLDER, PULL, WEB

HOSTS = {"web": "pr-42-shop.localhost"}
BASIS = Basis({".": "t1", "api": "t2"}, HOSTS, Address())


@pytest.mark.parametrize(
    ("pull", "filters", "paths", "reason"),
    [
        (PULL, Filters(), None, None),
        (replace(PULL, is_draft=True), Filters(), None, Reason.DRAFT),
        (replace(PULL, is_draft=True), Filters(drafts=True), None, None),
        (replace(PULL, is_draft=True, labels=frozenset({"preview"})), Filters(), None, None),
        (replace(PULL, labels=frozenset({"preview", "no-preview"})), Filters(), None, Reason.LABEL_EXCLUDED),
        (PULL, Filters(label_required=True), None, Reason.LABEL_MISSING),
        (replace(PULL, labels=frozenset({"demo"})), Filters(label="demo", label_required=True), None, None),
        (PULL, Filters(branches=("release/*",)), None, Reason.BRANCH_FILTERED),
        (replace(PULL, labels=frozenset({"preview"})), Filters(branches=("x",)), None, Reason.BRANCH_FILTERED),
        (replace(PULL, base_branch="release/1"), Filters(branches=("release/*",)), None, None),
        (PULL, Filters(paths=("web/*",)), ("docs/a.md",), Reason.PATHS_FILTERED),
        (PULL, Filters(paths=("web/*",)), ("docs/a.md", "web/deep/b.ts"), None),
        (PULL, Filters(paths=("web/*",)), None, Reason.PATHS_FILTERED),
    ],
)
def test_each_filter_gives_its_reason(
    pull: PullRequest, filters: Filters, paths: tuple[str, ...] | None, reason: Reason | None
) -> None:
    absent = filtered(pull, overlay(filters, FALLBACK_FILTERS), paths)
    assert (absent.reason if absent else None) == reason


def test_the_blueprints_filters_lie_over_the_operators_field_by_field() -> None:
    laid = overlay(Filters(drafts=True), Filters(drafts=False, paths=("a",)), FALLBACK_FILTERS)
    assert laid == replace(FALLBACK_FILTERS, drafts=True, paths=("a",))


@pytest.mark.parametrize(
    ("pull", "absent"),
    [
        (None, Absent(Reason.UNINSTALLED)),
        (replace(PULL, is_open=False), Absent(Reason.CLOSED)),
        (replace(PULL, is_open=False, is_merged=True), Absent(Reason.MERGED)),
        (PULL, None),
    ],
)
def test_what_is_over_should_not_run(pull: PullRequest | None, absent: Absent | None) -> None:
    assert closed(pull) == absent


def test_the_main_service_has_the_short_host_and_comes_first() -> None:
    admin = Service("admin", image="x", port=1, public=True)
    hosts = host_names(Blueprint("shop", (admin, WEB, API)), 42, "localhost")
    assert list(hosts.items()) == [("web", "pr-42-shop.localhost"), ("admin", "pr-42-shop-admin.localhost")]


def test_the_url_leaves_out_a_port_that_the_scheme_implies() -> None:
    assert Address("x.org", 443, "https").url("a.x.org") == "https://a.x.org"
    assert Address("localhost", 8080).url("a.localhost") == "http://a.localhost:8080"


def test_a_service_is_told_its_url_its_siblings_and_its_commit() -> None:
    web, api = present(PULL, BLUEPRINT, BASIS).release.services
    assert web.env["PREVIEWBOT_URL"] == "http://pr-42-shop.localhost:8080"
    assert web.env["PREVIEWBOT_API_URL"] == "http://api:9000"
    assert api.env["PREVIEWBOT_WEB_URL"] == api.env["PREVIEWBOT_URL"] == "http://pr-42-shop.localhost:8080"
    assert api.env["PREVIEWBOT_COMMIT"] == COMMIT
    assert api.env["PREVIEWBOT_PULL_REQUEST"] == "42"
    assert api.env["PORT"] == "9000"


def test_what_the_blueprint_sets_wins() -> None:
    blueprint = Blueprint("shop", (replace(WEB, env={"PORT": "1"}),))
    assert present(PULL, blueprint, BASIS).release.services[0].env["PORT"] == "1"


def test_references_are_filled_in_variables_and_commands() -> None:
    told = {"API": "${services.api.url}/v1", "SELF": "${services.web.public_url}", "RAW": "$${x}"}
    service = replace(WEB, env=told, command=("run", "${environment.kind}-${environment.number}", "${commit.sha}"))
    web = present(PULL, Blueprint("shop", (service, API)), BASIS).release.services[0]
    assert web.env["API"] == "http://api:9000/v1"
    assert web.env["SELF"] == "http://pr-42-shop.localhost:8080"
    assert web.env["RAW"] == "${x}"
    assert web.command == ("run", "preview-42", COMMIT)


def test_a_build_is_told_what_its_arguments_refer_to_and_is_another_image_for_it() -> None:
    service = replace(WEB, build=Build(args={"COMMIT": "${commit.sha}"}))
    made = [present(pull, Blueprint("shop", (service,)), BASIS) for pull in (PULL, replace(PULL, head_commit=OLDER))]
    assert [order.build.args["COMMIT"] for each in made for order in each.orders] == [COMMIT, OLDER]
    assert made[0].orders[0].image != made[1].orders[0].image


def test_an_untouched_context_keeps_its_image_over_commits_and_a_touched_one_does_not() -> None:
    before = present(PULL, BLUEPRINT, BASIS)
    after = present(replace(PULL, head_commit=OLDER), BLUEPRINT, replace(BASIS, trees={".": "t1", "api": "new"}))
    assert [one.image == two.image for one, two in zip(before.orders, after.orders, strict=True)] == [True, False]
    assert before.release.revision != after.release.revision


def _editions(blueprint: Blueprint, *, commit: str = COMMIT, basis: Basis = BASIS) -> dict[str, str]:
    made = present(replace(PULL, head_commit=commit), blueprint, basis).release
    return {each.name: each.edition for each in made.services}


def test_what_a_commit_does_not_touch_is_of_the_same_edition_and_only_that() -> None:
    before = _editions(BLUEPRINT)
    assert _editions(BLUEPRINT, commit=OLDER) == before
    assert len(set(before.values())) == len(before)
    after = _editions(BLUEPRINT, commit=OLDER, basis=replace(BASIS, trees={".": "t1", "api": "new"}))
    assert (after["web"] == before["web"], after["api"] == before["api"]) == (True, False)


@pytest.mark.parametrize(
    "told",
    [
        replace(WEB, env={"VERSION": "${commit.sha}"}),
        replace(WEB, env={"PREVIEWBOT_COMMIT": "${commit.sha}"}),
        replace(WEB, command=("run", "${commit.sha}")),
        replace(WEB, build=Build(args={"COMMIT": "${commit.sha}"})),
    ],
)
def test_who_asks_for_the_commit_is_another_edition_with_each(told: Service) -> None:
    blueprint = Blueprint("shop", (told, API))
    before, after = _editions(blueprint), _editions(blueprint, commit=OLDER)
    assert (before["web"] == after["web"], before["api"] == after["api"]) == (False, True)


@pytest.mark.parametrize(
    "changed",
    [
        replace(API, env={"A": "1"}),
        replace(API, port=9001),
        replace(API, command=("run",)),
        replace(API, health=Health(path="/up")),
        replace(API, image="redis:7", build=None),
    ],
)
def test_whatever_else_changes_a_service_is_another_edition(changed: Service) -> None:
    assert _editions(Blueprint("shop", (WEB, API)))["api"] != _editions(Blueprint("shop", (WEB, changed)))["api"]


def test_asking_to_redeploy_makes_everything_another_edition() -> None:
    cache = Service("cache", image="redis:7", port=6379)
    blueprint = Blueprint("shop", (WEB, cache))
    before, after = _editions(blueprint), _editions(blueprint, basis=replace(BASIS, redeploy=Redeploy(7, COMMIT)))
    assert not set(before.values()) & set(after.values())


def test_what_runs_to_its_end_belongs_to_one_release() -> None:
    hooks = Hooks(release=Hook("web", ("migrate",)))
    job = replace(WEB, name="job", kind=Kind.JOB, port=None, public=False)
    found = _editions(Blueprint("shop", (WEB, job), hooks=hooks))
    assert {name for name, edition in found.items() if not edition} == {"job", "hook.release"}


@pytest.mark.parametrize(
    "build", [Build(dockerfile="Other"), Build(target="t"), Build(args={"A": "1"}), Build(args={"A": "2"})]
)
def test_everything_that_goes_into_an_image_changes_its_identity(build: Build) -> None:
    images = [
        present(PULL, Blueprint("shop", (replace(WEB, build=each),)), BASIS).orders[0].image
        for each in (Build(), build)
    ]
    assert images[0] != images[1]


def test_the_name_of_a_secret_is_no_argument_of_a_build() -> None:
    one, two = Build(args={"A": "B"}), Build(secrets=("A", "B"))
    assert image_of(one, "t", 1, "") != image_of(two, "t", 1, "")


def test_a_build_that_two_services_share_is_ordered_once() -> None:
    blueprint = Blueprint("shop", (WEB, Service("worker", build=Build(), command=("work",))))
    made = present(PULL, blueprint, BASIS)
    assert len(made.orders) == 1
    assert len({service.image for service in made.release.services}) == 1


def test_a_redeploy_is_a_new_release_from_scratch_for_its_commit_only() -> None:
    plain = present(PULL, BLUEPRINT, BASIS)
    again = present(PULL, BLUEPRINT, replace(BASIS, redeploy=Redeploy(99, COMMIT)))
    stale = present(PULL, BLUEPRINT, replace(BASIS, redeploy=Redeploy(99, OLDER)))
    assert all(order.fresh for order in again.orders)
    assert plain.release.revision != again.release.revision
    assert stale == plain


@pytest.mark.parametrize(
    "change",
    [
        {"command": ("x",)},
        {"replicas": 2},
        {"env": {"A": "1"}},
        {"port": 1},
        {"public": False},
    ],
)
def test_whatever_differs_in_a_service_is_another_release(change: dict[str, object]) -> None:
    blueprint = Blueprint("shop", (replace(WEB, **change),))  # type: ignore[arg-type]
    basis = replace(BASIS, hosts=host_names(blueprint, 42, "localhost"))
    plain = present(PULL, Blueprint("shop", (WEB,)), BASIS)
    assert present(PULL, blueprint, basis).release.revision != plain.release.revision


def test_what_is_secret_of_a_command_becomes_a_variable_of_its_own() -> None:
    service = replace(WEB, command=("serve", "--key=${secrets.KEY}", "${environment.number}"))
    versions = Versions({SecretName("shared", "KEY"): "v1"})
    blueprint = Blueprint("shop", (service,), secrets=(Secret("KEY"),))
    (web,) = present(PULL, blueprint, replace(BASIS, versions=versions)).release.services
    assert web.command == ("serve", "", "42")
    seal = Seal(SecretName("shared", "KEY"), "v1", own=False)
    assert web.sealed == {"PREVIEWBOT_ARGUMENT_1": ("--key=", seal)}


def test_a_rotated_secret_is_another_release_and_the_same_version_is_not() -> None:
    blueprint = Blueprint("shop", (replace(WEB, secrets=("KEY",)),), secrets=(Secret("KEY"),))

    def revision(version: str) -> str:
        versions = Versions({SecretName("shared", "KEY"): version})
        return present(PULL, blueprint, replace(BASIS, versions=versions)).release.revision

    assert revision("v1") == revision("v1") != revision("v2")
