"""The whole grammar of a blueprint: what each key becomes, and that all of it reads back from what is rendered."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from previewbot.core.blueprint import (
    Blueprint,
    Build,
    Concurrency,
    Environment,
    Health,
    Hook,
    Hooks,
    Kind,
    Override,
    Resource,
    ResourceType,
    Schedule,
    Secret,
    Service,
)
from previewbot.core.references import secrets_of
from previewbot.wire.blueprint import render
from tests.wire.blueprint.stack import STACK, made, read


def test_services_of_every_kind() -> None:
    web, api, mailer, nightly, reindex = made(STACK).services
    assert web == Service(
        "web",
        build=Build("web", args={"EDITION": "${environment.kind}"}),
        port=8080,
        public=True,
        health=Health("/healthz"),
        env={"API": "${services.api.url}", "SELF": "${services.web.public_url}", "COMMIT": "${commit.sha}"},
        size="small",
        depends_on=("api",),
        secrets=("STRIPE_KEY", "SESSION_KEY"),
        volumes={"uploads": "/var/uploads"},
    )
    assert api.command == ("./serve", "--key", "${secrets.STRIPE_KEY}")
    assert api.env["LITERAL"] == "$${HOME} $1"
    assert api.health == Health(timeout=timedelta(minutes=2), command=("./alive",))
    assert mailer.kind == Kind.WORKER
    assert nightly == Service(
        "nightly",
        build=Build("api"),
        command=("./nightly",),
        kind=Kind.CRON,
        schedule=Schedule("0 3 * * MON-FRI", "Europe/Berlin", Concurrency.REPLACE, history=5),
    )
    assert nightly.timeout == timedelta(hours=1)
    hour_and_a_half = timedelta(minutes=90)
    assert reindex == Service(
        "reindex", build=Build("api"), command=("./reindex",), kind=Kind.JOB, timeout=hour_and_a_half
    )


def test_resources_are_written_at_length_or_as_their_type() -> None:
    assert made(STACK).resources == (
        Resource("db", ResourceType.POSTGRES, "16.10", "small", Hook("api", ("./seed",)), "weekly"),
        Resource("cache", ResourceType.REDIS),
        Resource("uploads", ResourceType.VOLUME),
        Resource("files", ResourceType.STORAGE),
        Resource("mails", ResourceType.QUEUE),
    )


def test_hooks_have_ten_minutes_unless_they_say_otherwise() -> None:
    assert made(STACK).hooks == Hooks(
        Hook("api", ("./migrate", "${resources.db.url}"), timedelta(minutes=15)),
        Hook("api", ("./goodbye",), timedelta(minutes=10)),
    )


def test_secrets_are_all_that_are_named_anywhere_each_once() -> None:
    assert made(STACK).secrets == (
        Secret("API_TOKEN"),
        Secret("SESSION_KEY", 32),
        Secret("SPARE"),
        Secret("STRIPE_KEY"),
    )


def test_secrets_may_be_a_plain_list() -> None:
    text = "version: 1\nservices: {web: {image: x, env: {A: '${secrets.C}'}, secrets: [B]}}\nsecrets: [A, B]\n"
    assert made(text).secrets == (Secret("A"), Secret("B"), Secret("C"))


def test_a_secret_of_a_hook_is_a_secret_of_the_app() -> None:
    hook = "{service: web, command: [x, '${secrets.A}']}"
    text = f"version: 1\nservices: {{web: {{image: x}}}}\nsecrets: [A]\nhooks: {{release: {hook}}}"
    assert made(text).secrets == (Secret("A"),)


def test_environments_hold_only_what_differs() -> None:
    assert made(STACK).environments == {
        "preview": Environment("preview", services={"web": Override(replicas=1), "nightly": Override(schedule=False)}),
        "staging": Environment("staging"),
        "production": Environment(
            "production",
            "shop.example.com",
            {"web": Override(size="large", replicas=3)},
            {"db": Override(size="large", backups="daily")},
        ),
    }


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("{image: x, port: 1}", Kind.WEB),
        ("{image: x}", Kind.WORKER),
        ("{image: x, port: 1, kind: web}", Kind.WEB),
        ("{image: x, kind: job}", Kind.JOB),
        ("{image: x, kind: cron, schedule: '* * * * *'}", Kind.CRON),
    ],
)
def test_a_service_with_a_port_is_web_and_else_a_worker(service: str, kind: Kind) -> None:
    assert made(f"version: 1\nservices: {{a: {service}}}\n").services[0].kind == kind


def test_a_cron_service_is_never_two_at_once_unless_it_says_so() -> None:
    (service,) = made("version: 1\nservices: {a: {image: x, kind: cron, schedule: '5 4 * * *'}}\n").services
    assert service.schedule == Schedule("5 4 * * *", "UTC", Concurrency.FORBID, 3)


def test_a_full_stack_reads_back_the_same() -> None:
    assert made(render(made(STACK))) == made(STACK)


@pytest.mark.parametrize("text", [STACK, render(made(STACK))], ids=["written", "rendered"])
def test_the_published_schema_takes_a_full_stack(text: str) -> None:
    schema = json.loads(Path("config/blueprint.schema.json").read_text())
    jsonschema_rs.validator_for(schema).validate(YAML(typ="safe", pure=True).load(text))


TOKENS = re.split(r"(\s+|[{}\[\],:.])", STACK)


@given(
    st.lists(st.tuples(st.integers(0, len(TOKENS) - 1), st.sampled_from([*TOKENS, "", "${", "null", "[]", "{}", "5"])))
)
def test_a_full_stack_with_anything_exchanged_is_a_blueprint_or_flaws(changes: list[tuple[int, str]]) -> None:
    tokens = list(TOKENS)
    for position, token in changes:
        tokens[position] = token
    found = read("".join(tokens))
    assert isinstance(found, Blueprint) or all(flaw.line and flaw.problem for flaw in found)
    if isinstance(found, Blueprint):
        assert made(render(found)) == found


def test_a_build_names_the_secrets_that_its_steps_may_mount() -> None:
    text = "version: 1\nservices: {web: {build: {context: ., secrets: [NPM_TOKEN, NPM_TOKEN]}, port: 80}}\n"
    found = read(text)
    assert isinstance(found, Blueprint)
    (web,) = found.services
    assert web.build == Build(secrets=("NPM_TOKEN",))
    assert secrets_of(web) == ("NPM_TOKEN",)
    assert [each.name for each in found.secrets] == ["NPM_TOKEN"]
    assert read(render(found)) == found
