"""What other tools' files say becomes a blueprint without flaws; what has no place in it is told, and no secret is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.blueprint import Blueprint, Kind, ResourceType
from previewbot.wire.adoption import Adopted, adopt
from previewbot.wire.blueprint import dump, parse
from tests.wire.adoption.sources import REPOSITORIES, SECRETS


def adopted(files: dict[str, bytes]) -> tuple[Blueprint, Adopted]:
    """The blueprint of a repository; its text has no flaws."""
    found = adopt(files)
    assert isinstance(found, Adopted), [str(each) for each in found]
    blueprint = parse(found.text.encode(), fallback_app="app")
    assert isinstance(blueprint, Blueprint), [str(each) for each in blueprint]
    return blueprint, found


def refused(files: dict[str, bytes]) -> str:
    """The one flaw of files that cannot be adopted."""
    found = adopt(files)
    assert not isinstance(found, Adopted)
    return str(found[0])


def told(found: Adopted, part: str) -> list[str]:
    """The lines about something that was left out."""
    return [str(each) for each in found.left if part in str(each)]


@pytest.mark.parametrize("name", REPOSITORIES)
def test_every_repository_becomes_a_blueprint_without_flaws(name: str) -> None:
    blueprint, found = adopted(REPOSITORIES[name])
    assert blueprint.services
    assert all(str(each) in found.text for each in found.left)


@pytest.mark.parametrize("name", REPOSITORIES)
def test_no_secret_is_copied_or_told(name: str) -> None:
    _, found = adopted(REPOSITORIES[name])
    whole = found.text + "\n".join(map(str, found.left))
    assert not [each for each in SECRETS if each in whole]


def test_databases_become_resources_and_what_leads_to_them_references() -> None:
    blueprint, _ = adopted(REPOSITORIES["compose"])
    resources = {each.name: (each.type, each.version) for each in blueprint.resources}
    assert resources == {
        "db": (ResourceType.POSTGRES, "16.4"),
        "cache": (ResourceType.REDIS, None),
        "mq": (ResourceType.RABBITMQ, "3"),
        "my": (ResourceType.MYSQL, None),
        "files": (ResourceType.STORAGE, None),
        "cloud": (ResourceType.STORAGE, None),
        "cloud-queue": (ResourceType.QUEUE, None),
        "uploads": (ResourceType.VOLUME, None),
    }
    env = {each.name: each.env for each in blueprint.services}
    assert env["web"] == {
        "LOG_LEVEL": "info",
        "DATABASE_URL": "${resources.db.url}",
        "REDIS_URL": "redis://:${resources.cache.password}@${resources.cache.host}:${resources.cache.port}/2",
        "GREETING": "costs $5, ${secrets.WHO}",
        "API": "${services.api-v1.url}/v1",
        "S3_BUCKET": "${resources.files.bucket}",
        "AWS_ENDPOINT_URL": "${resources.files.endpoint}",
        "AWS_ACCESS_KEY_ID": "${resources.files.access_key}",
    }
    assert env["api-v1"] == {
        "PGPASSWORD": "${resources.db.password}",
        "PGHOST": "${resources.db.host}",
        "PGUSER": "${resources.db.user}",
        "BROKER": "${resources.mq.url}",
    }


def test_a_compose_service_keeps_its_shape() -> None:
    blueprint, _ = adopted(REPOSITORIES["compose"])
    web, api, migrate, sneaky = blueprint.services
    assert web.build is not None
    assert (web.build.context, web.build.target, web.build.args) == ("web", "prod", {"EDITION": "full"})
    assert (web.port, web.public, web.health.path, web.replicas) == (3000, True, "/healthz", 2)
    assert (web.depends_on, web.volumes) == (("api-v1",), {"uploads": "/var/uploads"})
    assert web.secrets == ("STRIPE_KEY", "SESSION_KEY")
    assert (api.port, api.public, api.secrets) == (4000, False, ("FROM_SHELL",))
    assert api.command == ("./serve", "--port", "$PORT")
    assert migrate.kind is Kind.JOB
    assert blueprint.hooks.release is not None
    assert (blueprint.hooks.release.service, blueprint.hooks.release.command) == ("migrate", ("./migrate",))
    assert (sneaky.kind, sneaky.command) == (Kind.WORKER, None)


@pytest.mark.parametrize(
    "line",
    [
        "compose.yaml:1: `name`:",
        "compose.yaml:7: the build argument `NPM_TOKEN` of service `web`:",
        "compose.yaml:8: the port 9229 of service `web`:",
        "compose.yaml:12: the value of `STRIPE_KEY` of service `web`:",
        "compose.yaml:13: the value of `SESSION_KEY` of service `web`:",
        "compose.yaml:24: `restart` of service `web`:",
        "compose.yaml:25: `env_file` of service `web`:",
        "compose.yaml:26: a mount of service `web`:",
        "compose.yaml:26: that `uploads` is read-only of service `web`:",
        "compose.yaml:27: `deploy`: `resources` of service `web`:",
        "compose.yaml:33: `privileged` of service `api-v1`:",
        "compose.yaml:35: `command` of service `sneaky`:",
        "compose.yaml:37: the image of resource `db`:",
        "compose.yaml:42: the image of resource `my`:",
    ],
)
def test_what_has_no_place_in_a_blueprint_is_told_with_its_line(line: str) -> None:
    _, found = adopted(REPOSITORIES["compose"])
    assert told(found, line)


def test_a_procfile_with_app_json_is_carried_over() -> None:
    blueprint, found = adopted(REPOSITORIES["heroku"])
    web, worker, bad, cron = blueprint.services
    assert (cron.name, cron.kind, cron.command) == ("cron", Kind.CRON, ("rake", "nightly"))
    assert cron.schedule is not None
    assert cron.schedule.cron == "0 1 * * *"
    assert cron.env == web.env
    assert sum(each.what == "an entry of `cron`" for each in found.left) == 2
    assert (web.name, web.port, web.command) == ("web", 8080, ("sh", "-c", "bundle exec puma -p $${PORT:-3000}"))
    assert (worker.kind, worker.command, worker.replicas) == (Kind.WORKER, ("sidekiq", "-C", "config/sidekiq.yml"), 2)
    assert (bad.name, bad.command) == ("bad-one", None)
    assert web.env == {
        "DATABASE_URL": "${resources.db.url}",
        "CACHE_URL": "${resources.cache.url}",
        "RAILS_ENV": "production",
    }
    assert web.secrets == ("SECRET_KEY_BASE", "API_KEY", "GITHUB")
    assert {each.name: each.generate for each in blueprint.secrets}["SECRET_KEY_BASE"] == 32
    release, destroy, seed = blueprint.hooks.release, blueprint.hooks.destroy, blueprint.resources[0].seed
    assert release is not None
    assert release.command == ("rake", "db:migrate")
    assert destroy is not None
    assert destroy.command == ("rake", "bye")
    assert seed is not None
    assert seed.command == ("rake", "db:seed")
    for part in ("`papertrail`", "`test`", "`buildpacks`", "Dockerfile: what it says", "`OPTIONAL`", "Procfile:5: "):
        assert told(found, part)


def test_render_is_carried_over() -> None:
    blueprint, found = adopted(REPOSITORIES["render"])
    web, api, jobs, tick = blueprint.services
    assert web.build is not None
    assert (web.name, web.build.context, web.build.dockerfile) == ("shop-web", "web", "prod.Dockerfile")
    assert (web.port, web.public, web.health.path, web.volumes) == (10000, True, "/healthz", {"media": "/data"})
    assert web.env == {
        "DATABASE_URL": "${resources.maindb.url}",
        "CACHE": "${resources.kv.host}:${resources.kv.port}",
        "API": "api:10000",
        "LOG_LEVEL": "info",
    }
    assert web.secrets == ("SESSION_KEY", "STRIPE_KEY", "HOOK")
    assert (api.image, api.public, jobs.kind) == ("docker.io/acme/api:1", False, Kind.WORKER)
    assert tick.schedule is not None
    assert (tick.schedule.cron, tick.command) == ("0 * * * *", ("sh", "-c", "./tick && ./tock"))
    assert blueprint.hooks.release is not None
    assert (blueprint.hooks.release.service, blueprint.hooks.release.command) == ("shop-web", ("./migrate",))
    for part in ("service `docs`", "render.yaml:7: `plan`", "the runtime `node`", "`ipAllowList`"):
        assert told(found, part)


def test_of_several_sources_one_is_taken_and_the_others_are_told() -> None:
    _, found = adopted(REPOSITORIES["all of them"])
    assert [each.file for each in found.left if each.what == "all of it"] == ["render.yaml", "Procfile", "app.json"]


def test_dockerfiles_that_are_not_built_or_not_there_are_told() -> None:
    compose = b"services: {web: {build: ./web}, api: {build: {context: ., dockerfile: api/Dockerfile}}}"
    _, found = adopted({"compose.yaml": compose, "old/Dockerfile": b"", "api/Dockerfile": b""})
    about = [(each.file, each.why) for each in found.left]
    assert ("old/Dockerfile", "no service builds it") in about
    assert [file for file, why in about if "no such file" in why] == ["web/Dockerfile"]
    assert not [file for file, _ in about if file == "api/Dockerfile"]


def test_a_compose_file_of_servers_alone_leaves_the_services_to_the_dockerfile() -> None:
    blueprint, found = adopted(REPOSITORIES["compose that has only servers"])
    assert [each.name for each in blueprint.services] == ["web"]
    assert blueprint.resources[0].type is ResourceType.MYSQL
    assert told(found, "who uses the resource `db`")


def test_services_that_wait_for_each_other_in_a_circle_are_cut_and_told() -> None:
    compose = (
        b"services: {a: {image: a, depends_on: [b]}, b: {image: b, depends_on: [c]}, c: {image: c, depends_on: [a]}}"
    )
    blueprint, found = adopted({"compose.yaml": compose})
    assert sum(len(each.depends_on) for each in blueprint.services) == 2
    assert told(found, "in a circle")


_BOMB = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + each, 98 + each, b",".join([b"*%c" % (97 + each)] * 10)) for each in range(6)
)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"compose.yaml": b"services:\n\tweb: 1"}, "compose.yaml:2:1: a tab stands where YAML wants spaces"),
        ({"compose.yaml": b"services: []"}, "compose.yaml:1:11: `services` must be keys and values here"),
        ({"compose.yaml": b"services:\n  web: x"}, "compose.yaml:2:8: `web` must be keys and values here"),
        ({"compose.yaml": b"services: {a: {image: [x]}}"}, "compose.yaml:1:23: `image` must be a text here"),
        ({"compose.yaml": b"services: {a: {image: a, ports: 80}}"}, "`ports` must be a list here"),
        (
            {"compose.yaml": b'services: {a: {image: a, command: "\'"}}'},
            "compose.yaml:1:35: the command cannot",
        ),
        ({"compose.yaml": b"x" * 10_000_000}, "compose.yaml:1:1: the file is larger than 256 KiB"),
        ({"compose.yaml": _BOMB}, "the aliases here repeat too much"),
        ({"compose.yaml": b"a: &a {<<: *a}"}, "the alias `*a` refers to itself"),
        ({"compose.yaml": b"\xff"}, "compose.yaml:1:1: this is not UTF-8"),
        ({"compose.yaml": b"- 1"}, "compose.yaml:1:1: `the file` must be keys and values here"),
        ({"render.yaml": b"services: [{type: web}]"}, "render.yaml:1:12: `services` must be something with a `name`"),
        ({"app.json": b'{"env": []}'}, "app.json:1:9: `env` must be keys and values here"),
        ({"app.json": b'{"env": '}, "app.json:1:9: this is not JSON: expecting value"),
        ({"Procfile": b"web: x\nno command"}, "Procfile:2:1: this is not `name: command`"),
        ({"Procfile": b"web: " + b"x" * 10_000_000}, "Procfile:1:1: the file is larger than 256 KiB"),
        ({}, "nothing in it says what runs"),
    ],
)
def test_bad_files_are_told_with_their_place(files: dict[str, bytes], said: str) -> None:
    assert said in refused(files)


_words = st.text(alphabet="abAB_-./:$&{}@=0123 \n'\"é", max_size=12) | st.sampled_from(
    [
        "db",
        "web",
        "${A:-b}",
        "$${X",
        "$$${Y}",
        "postgres://u:p@db/x",
        "redis:7",
        "0 3 * * *",
        "PREVIEWBOT_X",
        "GO",
        "8080",
    ]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 99999) | _words,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(_words, below, max_size=4),
    max_leaves=8,
)
_texts = st.dictionaries(_words, st.none() | _words, max_size=4) | st.lists(_words, max_size=4)
_services = st.fixed_dictionaries(
    {},
    optional={
        "build": st.sampled_from([".", "./a/", {"context": "a", "dockerfile": "b"}, "../x"]),
        "image": st.sampled_from(["alpine", "postgres:16", "redis", "minio/minio", "A B", "mysql:${V:-8}"]),
        "ports": st.lists(st.sampled_from(["80", "1:2", "${P}:3", "9-10:9-10", "5/udp"]), max_size=3),
        "environment": _texts,
        "command": st.lists(_words, max_size=4),
        "depends_on": st.lists(st.sampled_from(["web", "db", "a b", "x"]), max_size=3),
        "volumes": st.lists(st.sampled_from(["v:/v", "v:/", "./x:/x", "w:/v", "/y", "web:/a/../b"]), max_size=3),
        "healthcheck": st.fixed_dictionaries({}, optional={"test": st.lists(_words, max_size=3), "retries": _values}),
        "deploy": st.fixed_dictionaries({}, optional={"replicas": st.integers(-1, 50)}),
        "whatever": _values,
    },
)
_composes = st.fixed_dictionaries(
    {
        "services": st.dictionaries(st.sampled_from(["web", "db", "a b", "A_B", "a-b", "9", "x" * 50]), _services),
        "volumes": st.just({"v": None, "w": None, "web": None}),
    }
)


@given(_composes)
def test_any_compose_file_of_the_right_shape_becomes_a_blueprint(compose: dict[str, object]) -> None:
    files = {"compose.yaml": dump(compose).encode()}
    found = adopt(files)
    if isinstance(found, Adopted):
        adopted(files)
    else:
        assert found[0].problem == "nothing in it says what runs"


@given(st.sampled_from(["compose.yaml", "render.yaml", "app.json"]), _values, _values)
def test_any_values_are_a_blueprint_or_a_flaw(name: str, services: object, rest: object) -> None:
    document = {"services": services, "databases": rest, "env": services, "addons": rest, "volumes": rest}
    found = adopt({name: dump(document).encode()})
    if not isinstance(found, Adopted):
        assert not [each for each in found if "the translation is none" in each.problem]
