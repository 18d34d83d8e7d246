"""An app with databases and secrets, told through GitHub: what it gets, what it keeps, and what nobody sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.types import ASGIApp

from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Observed, ServiceSpec, Size
from previewbot.core.resources import Shelf
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.demo.github.state import Pull
from previewbot.engine.bells import Doorbell
from previewbot.engine.clockwork import Clockwork
from previewbot.engine.runs import Runs
from previewbot.ports import Value
from previewbot.web.app import Site, create_app
from previewbot.web.pages import Pages
from previewbot.web.webhook import Door
from tests.fakes.runtime import READY, Behaviour, FakeRuntime
from tests.stories.town import Town

STACK = """\
version: 1
app: shop
services:
  web:
    build: web
    port: 8080
    public: true
    env: {DATABASE_URL: "${resources.db.url}", CACHE: "${resources.cache.host}"}
    secrets: [STRIPE_KEY, SESSION_KEY]
  worker: {build: api, env: {QUEUE: "redis://:${resources.cache.password}@${resources.cache.host}"}}
resources:
  db: {type: postgres, version: "16"}
  cache: redis
secrets:
  SESSION_KEY: {generate: 40}
"""
PREVIEW = Scope("shop", "preview")
STRIPE = SecretName(SHARED, "STRIPE_KEY")


@pytest.fixture
async def city(city: Town) -> Town:
    await city.secrets.put(PREVIEW, STRIPE, Value("sk_live_4242"))
    await city.secrets.put(Scope("shop", "production"), STRIPE, Value("production's"))
    return city


async def _told(city: Town, pull: Pull, service: str) -> dict[str, str]:
    """The secret variables with which a service runs."""
    (release,) = [each for each in (await city.observed(pull)).releases if not each.resource]
    return dict(city.runtime.sealed(city.key(pull), release.revision)[service])


def _data(observed: Observed) -> list[str]:
    """The volumes of servers, without what tells one from those before it."""
    return sorted(each.rpartition("-")[0] for each in observed.volumes)


async def test_an_app_gets_its_databases_and_its_secrets(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    assert "**Preview is ready**" in city.comment(pull)
    web, worker = await _told(city, pull, "web"), await _told(city, pull, "worker")
    password = web["DATABASE_URL"].removeprefix("postgresql://app:").removesuffix("@db:5432/app")
    assert len(password) == 32
    assert password.isalnum()
    assert web["STRIPE_KEY"] == "sk_live_4242"
    assert len(web["SESSION_KEY"]) == 40
    assert set(worker) == {"QUEUE"}, "a secret is for the services that declare it"
    observed = await city.observed(pull)
    assert {each.resource for each in observed.releases} == {None, "db", "cache"}
    assert _data(observed) == ["cache-7", "db-16"]


async def test_a_build_gets_the_secrets_that_it_names_and_no_program_knows_them(city: Town) -> None:
    await city.secrets.put(PREVIEW, SecretName("web", "NPM_TOKEN"), Value("npm_4242"))
    stack = STACK.replace("build: web", "build: {context: web, secrets: [NPM_TOKEN]}")
    pull = await city.open(files={"previewbot.yaml": stack})
    assert "**Preview is ready**" in city.comment(pull)
    assert sorted(map(dict, city.builder.secrets.values()), key=len) == [{}, {"NPM_TOKEN": "npm_4242"}]
    assert "NPM_TOKEN" not in await _told(city, pull, "web")
    built = len(city.builder.orders)
    await city.secrets.put(PREVIEW, SecretName("web", "NPM_TOKEN"), Value("npm_4343"))
    await city.push(pull, {"unseen": "2"})
    assert len(city.builder.orders) == built, "another value is no reason to build again"


async def test_a_database_and_its_password_stay_over_pushes_and_redeploys(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    before = await _told(city, pull, "web")
    databases = {each.revision for each in (await city.observed(pull)).releases if each.resource}
    await city.push(pull, {"web/x": "2"})
    await city.say(pull, "alice", "/redeploy")
    assert await _told(city, pull, "web") == before
    assert {each.revision for each in (await city.observed(pull)).releases if each.resource} == databases


async def test_two_previews_share_no_credential(city: Town) -> None:
    first = await city.open(files={"previewbot.yaml": STACK})
    second = await city.open(files={"previewbot.yaml": STACK, "web/x": "2"})
    one, two = await _told(city, first, "web"), await _told(city, second, "web")
    assert one["DATABASE_URL"] != two["DATABASE_URL"]
    assert one["SESSION_KEY"] != two["SESSION_KEY"]
    assert one["STRIPE_KEY"] == two["STRIPE_KEY"]


async def test_what_is_not_set_is_told_by_name_and_nothing_starts_until_it_is(city: Town) -> None:
    await city.secrets.remove(PREVIEW, STRIPE)
    pull = await city.open(files={"previewbot.yaml": STACK})
    text = city.comment(pull)
    assert "`STRIPE_KEY` (web)" in text
    assert "`previewbot secrets set shop STRIPE_KEY`" in text
    assert (await city.observed(pull)).is_empty
    assert not city.builder.orders
    await city.secrets.put(PREVIEW, STRIPE, Value("sk_live_1"))
    await city.say(pull, "alice", "/redeploy")
    assert "**Preview is ready**" in city.comment(pull)


_HOOKED = """\
version: 1
app: shop
services:
  web: {build: web, port: 8080}
resources: {db: {type: postgres, seed: {service: web, command: [fill, "${secrets.SEED_KEY}"]}}}
secrets: [DEPLOY_KEY, SEED_KEY]
hooks:
  release: {service: web, command: [migrate, "${resources.db.url}", "${secrets.DEPLOY_KEY}"]}
"""


async def test_what_only_a_hook_names_is_asked_for_missed_and_told_to_that_hook_alone(city: Town) -> None:
    await city.secrets.put(PREVIEW, SecretName(SHARED, "SEED_KEY"), Value("seed_4242"))
    pull = await city.open(files={"previewbot.yaml": _HOOKED})
    assert "`DEPLOY_KEY` (web)" in city.comment(pull)
    needs: dict[str, tuple[str, ...]] = {}

    def note(spec: ServiceSpec) -> Behaviour:
        needs[spec.name] = spec.needs
        return READY

    city.runtime.behave = note
    await city.secrets.put(PREVIEW, SecretName("web", "DEPLOY_KEY"), Value("key_4242"))
    await city.say(pull, "alice", "/redeploy")
    assert "**Preview is ready**" in city.comment(pull)
    assert (await _told(city, pull, "hook.release"))["PREVIEWBOT_ARGUMENT_2"] == "key_4242"
    assert (await _told(city, pull, "seed.db"))["PREVIEWBOT_ARGUMENT_1"] == "seed_4242"
    (db,) = (await city.observed(pull)).volumes
    assert needs == {"db": (), "hook.release": (db,), "seed.db": (), "web": ()}, "or it would not reach the database"
    before = {each.revision for each in (await city.observed(pull)).releases}
    await city.secrets.put(PREVIEW, SecretName("web", "DEPLOY_KEY"), Value("key_4343"))
    await city.push(pull, {})
    assert {each.revision for each in (await city.observed(pull)).releases} != before, "another value, another release"


async def test_a_services_own_value_wins_over_the_one_for_all(city: Town) -> None:
    await city.secrets.put(PREVIEW, SecretName("web", "STRIPE_KEY"), Value("sk_web"))
    pull = await city.open(files={"previewbot.yaml": STACK})
    assert (await _told(city, pull, "web"))["STRIPE_KEY"] == "sk_web"


async def test_a_rotated_secret_arrives_with_the_next_push_as_a_new_release(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    await city.secrets.put(PREVIEW, STRIPE, Value("sk_new"))
    await city.push(pull, {})
    assert (await _told(city, pull, "web"))["STRIPE_KEY"] == "sk_new"


_EVERY_WAY = (
    STACK.replace("build: web", "build: {context: web, secrets: [STRIPE_KEY]}").replace(
        "resources:\n", "  restock: {kind: job, build: web, command: [x], secrets: [STRIPE_KEY]}\nresources:\n", 1
    )
    + "hooks: {release: {service: web, command: [migrate]}, destroy: {service: web, command: [goodbye]}}\n"
)
"""Secrets in every place where one can be: builds, services, jobs and hooks."""


async def test_a_rotated_secret_arrives_at_once_by_redeploy(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    await city.secrets.put(PREVIEW, STRIPE, Value("sk_new"))
    assert await city.say(pull, "alice", "/redeploy") == ["eyes", "+1"]
    assert (await _told(city, pull, "web"))["STRIPE_KEY"] == "sk_new"
    assert "**Preview is ready**" in city.comment(pull)


async def test_another_generated_secret_arrives_by_redeploy_and_leaves_the_data_alone(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    before, volumes = await _told(city, pull, "web"), (await city.observed(pull)).volumes
    await city.secrets.put(Scope.own(city.key(pull)), SecretName(SHARED, "SESSION_KEY"), Value("made-anew"))
    await city.say(pull, "alice", "/redeploy")
    assert await _told(city, pull, "web") == {**before, "SESSION_KEY": "made-anew"}
    assert (await city.observed(pull)).volumes == volumes


async def test_no_preview_ever_asks_for_anything_but_the_preview_scope_and_its_own(city: Town) -> None:
    city.secrets.asked.clear()
    pull = await city.open(files={"previewbot.yaml": _EVERY_WAY})
    assert "**Preview is ready**" in city.comment(pull)
    await city.say(pull, "alice", "/redeploy")
    await city.say(pull, "alice", "/run restock")
    await city.settle()
    assert any("**restock** is done" in each.body for each in pull.comments)
    city.runtime.behave = _failing("hook.release", "no such table")
    await city.push(pull, {"web/x": "2"})
    assert "no such table" in city.comment(pull)
    await city.sweep()
    city.github.close(city.hosted, pull)
    await city.settle()
    assert set(city.secrets.asked) == {PREVIEW, Scope.own(city.key(pull))}


async def test_whose_author_is_not_trusted_causes_no_question_to_the_store(city: Town) -> None:
    city.secrets.asked.clear()
    await city.open(author="bob", files={"previewbot.yaml": STACK})
    assert city.secrets.asked == []


async def test_a_database_is_filled_once_in_its_life_and_again_when_it_is_another_one(city: Town) -> None:
    ran: list[str] = []

    def note(spec: ServiceSpec) -> Behaviour:
        ran.append(spec.name)
        return READY

    city.runtime.behave = note
    seeded = STACK.replace('version: "16"}', 'version: "16", seed: {service: worker, command: [fill]}}')
    pull = await city.open(files={"previewbot.yaml": seeded})
    await city.push(pull, {"web/x": "2"})
    await city.say(pull, "alice", "/redeploy")
    assert ran.count("seed.db") == 1
    await city.push(pull, {"previewbot.yaml": seeded.replace('"16"', '"17"')})
    assert "**Preview is ready**" in city.comment(pull)
    assert ran.count("seed.db") == 2


async def test_nothing_made_for_it_is_left_when_it_closes(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    assert Scope.own(city.key(pull)) in city.secrets.everything()
    city.github.close(city.hosted, pull)
    await city.settle()
    assert set(city.secrets.everything()) == {PREVIEW, Scope("shop", "production")}
    assert (await city.observed(pull)).is_empty
    assert "**Preview removed**" in city.comment(pull)


async def test_a_lost_record_leaves_nothing_behind_whether_its_pull_request_is_open_or_closed_meanwhile(
    city: Town,
) -> None:
    pull, other = [await city.open(files={"previewbot.yaml": STACK, "web/x": each}) for each in "12"]
    await city.store.forget(city.key(pull))
    await city.push(pull, {"web/x": "3"})
    assert (await city.record(pull)).keeps_secrets
    city.github.hooks.lose = True
    for each in (pull, other):
        await city.store.forget(city.key(each))
        city.github.close(city.hosted, each)
    await city.sweep()
    assert set(city.secrets.everything()) == {PREVIEW, Scope("shop", "production")}


async def test_secrets_whose_environment_and_record_are_gone_are_found_by_the_sweep(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    city.github.close(city.hosted, pull)
    await city.settle()
    told = city.comment(pull)
    await city.secrets.put(Scope.own(city.key(pull)), SecretName("db", "password"), Value("left behind"))
    await city.sweep()
    assert set(city.secrets.everything()) == {PREVIEW, Scope("shop", "production")}
    assert city.comment(pull) == told
    await city.secrets.put(Scope.own(Key(999, 1)), SecretName("db", "password"), Value("of a repository that is gone"))
    await city.sweep()
    assert set(city.secrets.everything()) == {PREVIEW, Scope("shop", "production")}


async def test_a_store_that_does_not_answer_keeps_no_container_running(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    await city.store.forget(city.key(pull))
    city.secrets.is_away = True
    city.github.close(city.hosted, pull)
    await city.pass_time(timedelta(minutes=1))
    assert (await city.observed(pull)).is_empty
    city.secrets.is_away = False
    await city.settle()
    assert set(city.secrets.everything()) == {PREVIEW, Scope("shop", "production")}


async def test_who_names_another_app_does_not_get_its_secrets(city: Town) -> None:
    await city.secrets.put(Scope("bank", "preview"), STRIPE, Value("the bank's"))
    city.secrets.asked.clear()
    pull = await city.open(files={"previewbot.yaml": STACK.replace("app: shop", "app: bank")})
    assert "the secrets of `bank` are not open to acme/shop" in city.comment(pull)
    assert city.secrets.asked == []
    city.policy = replace(city.policy, owners={"bank": "acme/shop"})
    await city.say(pull, "alice", "/redeploy")
    assert "**Preview is ready**" in city.comment(pull)


async def test_an_app_that_changes_its_name_keeps_its_databases_and_what_opens_them(city: Town) -> None:
    city.policy = replace(city.policy, owners={"store": "acme/shop"})
    pull = await city.open(files={"previewbot.yaml": STACK})
    before, volumes = await _told(city, pull, "web"), (await city.observed(pull)).volumes
    await city.secrets.put(Scope("store", "preview"), STRIPE, Value("sk"))
    await city.push(pull, {"previewbot.yaml": STACK.replace("app: shop", "app: store")})
    assert "**Preview is ready**" in city.comment(pull)
    assert await _told(city, pull, "web") == before | {"STRIPE_KEY": "sk"}
    assert (await city.observed(pull)).volumes == volumes
    city.github.close(city.hosted, pull)
    await city.settle()
    assert not [scope for scope in city.secrets.everything() if scope.environment]


async def test_databases_begin_anew_where_what_opens_them_is_lost(city: Town) -> None:
    ran: list[str] = []

    def note(spec: ServiceSpec) -> Behaviour:
        ran.append(spec.name)
        return READY

    city.runtime.behave = note
    seeded = STACK.replace('version: "16"}', 'version: "16", seed: {service: worker, command: [fill]}}')
    pull = await city.open(files={"previewbot.yaml": seeded})
    before = (await city.observed(pull)).volumes
    await city.secrets.forget(Scope.own(city.key(pull)))
    await city.push(pull, {"web/x": "2"})
    assert "**Preview is ready**" in city.comment(pull)
    after = await city.observed(pull)
    assert _data(after) == ["cache-7", "db-16"]
    assert not after.volumes & before, "no server would open its old files with a new password"
    assert ran.count("seed.db") == 2


def _failing(name: str, words: str) -> Callable[[ServiceSpec], Behaviour]:
    """One service ends with these last words, and everything else is well."""
    failed = Behaviour(InstanceState.FAILED, "exits with code 1", (words,))
    return lambda spec: failed if spec.name == name else READY


async def test_secrets_are_hidden_in_the_last_words_of_a_program(city: Town) -> None:
    city.runtime.behave = _failing("web", "bad key sk_live_4242")
    pull = await city.open(files={"previewbot.yaml": STACK})
    text = city.comment(pull)
    assert "bad key •••" in text
    assert "sk_live" not in text


async def test_a_database_that_does_not_come_up_is_told(city: Town) -> None:
    city.runtime.behave = _failing("db", "no space left")
    pull = await city.open(files={"previewbot.yaml": STACK})
    text = city.comment(pull)
    assert "resource **db** exits with code 1" in text
    assert "no space left" in text
    city.runtime.behave = lambda _: READY
    await city.say(pull, "alice", "/redeploy")
    assert "**Preview is ready**" in city.comment(pull)


async def test_a_resource_that_the_blueprint_drops_goes_with_its_data(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    fewer = STACK.replace("  cache: redis\n", "").replace(', CACHE: "${resources.cache.host}"', "")
    fewer = fewer.replace(', env: {QUEUE: "redis://:${resources.cache.password}@${resources.cache.host}"}', "")
    await city.push(pull, {"previewbot.yaml": fewer})
    observed = await city.observed(pull)
    assert {each.resource for each in observed.releases} == {None, "db"}
    assert _data(observed) == ["db-16"]


async def test_a_service_that_the_blueprint_drops_goes_alone(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": STACK})
    before = await city.observed(pull)
    fewer = "\n".join(line for line in STACK.splitlines() if not line.startswith("  worker:"))
    await city.push(pull, {"previewbot.yaml": fewer})
    after = await city.observed(pull)
    assert [each.service for release in after.releases if not release.resource for each in release.instances] == ["web"]
    resources = {each.revision for each in before.releases if each.resource}
    assert {each.revision for each in after.releases if each.resource} == resources
    assert after.volumes == before.volumes
    assert "| worker |" not in city.comment(pull)


async def test_a_size_is_what_the_operator_says_and_an_unknown_one_is_told(city: Town) -> None:
    sized = STACK.replace("    port: 8080\n", "    port: 8080\n    size: small\n")
    pull = await city.open(files={"previewbot.yaml": sized})
    said = "- `previewbot.yaml` there is no size `small`, asked for by `web`; the operator has defined none"
    assert said in city.comment(pull)
    city.policy = replace(city.policy, shelf=Shelf(sizes={"small": Size(0.5, 256 * 1024**2)}))
    found: dict[str, Size | None] = {}

    def note(spec: ServiceSpec) -> Behaviour:
        found[spec.name] = spec.size
        return READY

    city.runtime.behave = note
    await city.say(pull, "alice", "/redeploy")
    assert found == {"db": None, "cache": None, "web": Size(0.5, 256 * 1024**2), "worker": None}


_CRON = """\
  nightly: {kind: cron, build: api, command: [clean], schedule: "0 3 * * *", timezone: Europe/Berlin, history: 2}
"""


async def test_a_cron_service_runs_at_its_minute_and_not_at_another(city: Town) -> None:
    stack = STACK.replace("resources:\n", f"{_CRON}resources:\n")
    pull = await city.open(files={"previewbot.yaml": stack})
    assert "| nightly | – | by timetable |" in city.comment(pull)
    clockwork = Clockwork(city.world)

    async def runs() -> list[str]:
        observed = await city.observed(pull)
        return [each.name for release in observed.releases for each in release.runs]

    await clockwork.strike(datetime(2026, 7, 1, 1, 1, 30, tzinfo=UTC))
    assert await runs() == []
    for _ in range(2):  # two previewbots strike at once
        await clockwork.strike(datetime(2026, 7, 1, 1, 0, 0, 500, tzinfo=UTC))
    assert await runs() == ["202607010100"]
    for day in (2, 3, 4):
        await clockwork.strike(datetime(2026, 7, day, 1, tzinfo=UTC))
    await clockwork.strike(datetime(2026, 7, 4, 1, 1, tzinfo=UTC))
    assert await runs() == ["202607030100", "202607040100"]


async def test_a_minute_that_an_engine_was_away_for_is_made_up_and_costs_nobody_else(city: Town) -> None:
    stack = STACK.replace("resources:\n", f"{_CRON}resources:\n")
    pull = await city.open(files={"previewbot.yaml": stack})
    clockwork = Clockwork(city.world)
    city.runtime.go_away()
    await clockwork.strike(datetime(2026, 7, 1, 1, 0, tzinfo=UTC))
    city.runtime.come_back()
    await clockwork.strike(datetime(2026, 7, 1, 1, 1, tzinfo=UTC))
    await clockwork.strike(datetime(2026, 7, 1, 1, 2, tzinfo=UTC))
    runs = [each.name for release in (await city.observed(pull)).releases for each in release.runs]
    assert runs == ["202607010100"]


class _Riddle(FakeRuntime):
    """Shows of one environment what nobody can read."""

    riddle: Key | None = None

    async def observe(self, key: Key) -> Observed:
        if key == self.riddle:
            raise ValueError("not a label of ours")
        return await super().observe(key)


async def test_an_environment_that_cannot_be_read_costs_no_other_its_runs(city: Town) -> None:
    stack = STACK.replace("resources:\n", f"{_CRON}resources:\n")
    runtime = _Riddle()
    city.world = replace(city.world, runtime=runtime)
    first, second = [await city.open(files={"previewbot.yaml": stack, "web/x": each}) for each in "12"]
    runtime.riddle = city.key(first)
    await Clockwork(city.world).strike(datetime(2026, 7, 1, 1, tzinfo=UTC))
    found = await runtime.observe(city.key(second))
    assert [each.name for release in found.releases for each in release.runs] == ["202607010100"]


async def test_what_the_runs_of_a_timetable_said_is_linked_from_the_page_of_their_environment(city: Town) -> None:
    cron = _CRON.replace("command: [clean]", "command: [clean], secrets: [STRIPE_KEY]")
    said = Behaviour(InstanceState.READY, says=("old carts: 3", "key sk_live_4242", "<script>"))
    city.runtime.behave = lambda spec: said if spec.name == "nightly" else READY
    pull = await city.open(files={"previewbot.yaml": STACK.replace("resources:\n", f"{cron}resources:\n")})
    for day in (1, 2):
        await Clockwork(city.world).strike(datetime(2026, 7, day, 1, tzinfo=UTC))
    page = f"/environments/{city.key(pull)}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_site(city)), base_url="http://localhost") as browser:
        links = re.findall(r'href="(/environments/[^"]+/runs/[^"]+)"', (await browser.get(page)).text)
        assert links == [f"{page}/runs/nightly/202607020100", f"{page}/runs/nightly/202607010100"]
        answer = await browser.get(links[0])
        assert answer.text == "old carts: 3\nkey •••\n<script>\n"
        assert answer.headers["content-type"].startswith("text/plain")
        assert (await browser.get(f"{page}/runs/nightly/never")).status_code == 404
        assert (await browser.get(links[0], headers={"Host": "elsewhere.test"})).status_code == 403


def _site(city: Town) -> ASGIApp:
    async def nothing() -> None:
        return None

    door = Door(Doorbell(city.store, city.bells), city.clock, (b"secret",), city.metrics)
    pages = Pages(city.store, city.world.logs, city.clock, lambda _: None, ran=Runs(city.world))
    return create_app(Site(door, pages, city.metrics, nothing, nothing))


async def test_what_previews_have_otherwise_is_what_runs(city: Town) -> None:
    stack = STACK.replace("resources:\n", f"{_CRON}resources:\n")
    stack += "environments: {preview: {services: {web: {replicas: 2}, nightly: {schedule: false}}}}\n"
    pull = await city.open(files={"previewbot.yaml": stack})
    (release,) = [each for each in (await city.observed(pull)).releases if not each.resource]
    assert len(release.of("web")) == 2
    await Clockwork(city.world).strike(datetime(2026, 7, 1, 1, tzinfo=UTC))
    assert not any(each.runs for each in (await city.observed(pull)).releases)
