"""Any bytes are a blueprint or a list of flaws, each with its place and the way to mend it."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from previewbot.core.blueprint import Blueprint, Build, Filters, Flaw, Health, Kind, Service
from previewbot.wire.blueprint import from_dockerfile, parse, render, schema

FULL = b"""\
version: 1
app: shop
services:
  web:
    build: {context: ./web/, target: prod, args: {A: 1.10}}
    port: 8080
    health: {path: /health, timeout: 2m}
    env: {RATIO: 1.10, YES: yes, ON: true, HEX: 0x10}
    replicas: 2
  worker:
    build: .
    command: python -m "my worker"
  cache:
    image: redis:7
    port: 6379
previews:
  drafts: true
  paths: ["web/**"]
"""


def read(text: str | bytes) -> Blueprint | tuple[Flaw, ...]:
    raw = text.encode() if isinstance(text, str) else text
    return parse(raw, fallback_app="fallback")


def test_a_full_blueprint() -> None:
    assert read(FULL) == Blueprint(
        app="shop",
        services=(
            Service(
                "web",
                build=Build("web", "Dockerfile", "prod", {"A": "1.10"}),
                port=8080,
                public=True,
                health=Health("/health", timedelta(minutes=2)),
                env={"RATIO": "1.10", "YES": "yes", "ON": "true", "HEX": "0x10"},
                replicas=2,
            ),
            Service("worker", build=Build(), command=("python", "-m", "my worker"), kind=Kind.WORKER),
            Service("cache", image="redis:7", port=6379),
        ),
        previews=Filters(drafts=True, paths=("web/**",)),
    )


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("", ["previewbot.yaml:1:1: the file is empty; begin with `version: 1` and `services:`"]),
        ("- a", ["previewbot.yaml:1:1: the file must be keys and values; begin with `version: 1` and `services:`"]),
        (
            "version: 1\nservices:\n  web:\n    build: .\n    prot: 80\n",
            ["previewbot.yaml:5:5: unknown key `prot` in service `web`; did you mean `port`?"],
        ),
        (
            "version: 1\nservices:\n  web: {build: ., port: '80'}\n",
            [
                (
                    "previewbot.yaml:3:25: `port` in service `web` must be a whole number, not the text `80`; "
                    "write it without quotes"
                )
            ],
        ),
        (
            "version: 1\nservices:\n  web: {build: ., image: x}\n  api: {}\n",
            [
                "previewbot.yaml:3:3: service `web` has both `build` and `image`; give exactly one of them",
                "previewbot.yaml:4:3: service `api` has neither `build` nor `image`; give exactly one of them",
            ],
        ),
        (
            "version: 1\nservices:\n  web: {build: ., public: true}\n",
            ["previewbot.yaml:3:27: service `web` is public but has no port; give its `port`"],
        ),
        (
            "services:\n  web: {build: .}\nserver: 1\n",
            [
                "previewbot.yaml:1:1: `version` is missing; begin the file with `version: 1`",
                "previewbot.yaml:3:1: unknown key `server`; did you mean `services`?",
            ],
        ),
        (
            "version: 1\nversion: 1\nservices: {web: {build: .}}\n",
            ["previewbot.yaml:2:1: the key `version` stands here twice; remove one of them"],
        ),
        (
            "version: 1\nservices:\n\tweb: {}\n",
            ["previewbot.yaml:3:1: a tab stands where YAML wants spaces; indent with spaces"],
        ),
        (
            "version: 1\nservices: {web: {build: ., env: {PREVIEWBOT_URL: x}}}\n",
            [
                (
                    "previewbot.yaml:2:34: `PREVIEWBOT_URL` in `env` of service `web` is set by previewbot itself; "
                    "choose a name that does not begin with `PREVIEWBOT_`"
                )
            ],
        ),
        (
            "version: 1\nservices:\n  web: {image: x, public: yes}\n",
            [
                (
                    "previewbot.yaml:3:27: `public` in service `web` must be true or false, not the text `yes`; "
                    "YAML 1.2 knows only `true` and `false`"
                )
            ],
        ),
        (
            "version: 2\nservices:\n  web: {image: x}\n",
            ["previewbot.yaml:1:10: `version` must be 1, not the number 2; write `version: 1`"],
        ),
        (
            "version: 1\nservices:\n  Web: {image: x}\n",
            [
                (
                    "previewbot.yaml:3:3: `Web` in `services` is not a name that a service can have; "
                    "begin with a letter, then use lower case letters, digits and hyphens, at most 32 in all"
                )
            ],
        ),
        ("version: 1\nservices: {}\n", ["previewbot.yaml:2:11: `services` is empty; write something, or leave it out"]),
        (
            "version: 1\nservices:\n",
            ["previewbot.yaml:2:1: `services` has no value; give it one, or leave it out"],
        ),
        (
            "version: 1\nservices:\n  web:\n    build: {context: ../up, dockerfil: x}\n    port:\n",
            [
                (
                    "previewbot.yaml:4:22: `context` in `build` of service `web` leaves the repository; "
                    "write a path inside it, without `..` and without a `/` at the beginning"
                ),
                "previewbot.yaml:4:29: unknown key `dockerfil` in `build` of service `web`; did you mean `dockerfile`?",
                "previewbot.yaml:5:5: `port` in service `web` has no value; give it one, or leave it out",
            ],
        ),
        (
            "version: 1\nservices:\n  web: {build: ../up}\n",
            [
                (
                    "previewbot.yaml:3:16: `build` in service `web` leaves the repository; "
                    "write a path inside it, without `..` and without a `/` at the beginning"
                )
            ],
        ),
        (
            "version: 1\nservices: {web: {image: x}}\n---\na: 1\n",
            ["previewbot.yaml:3:1: a second document begins here; keep one document"],
        ),
        (
            "version: 1\nservices: {web: {image: !!str x}}\n",
            ["previewbot.yaml:2:25: tags such as `tag:yaml.org,2002:str` are not read here; delete it"],
        ),
        (
            "version: 1\nx: &x [*x]\n",
            ["previewbot.yaml:2:8: the alias `*x` refers to itself; write it out plainly"],
        ),
        (
            'version: 1\nservices: {web: {image: x, env: {A: "\\0"}}}\n',
            ["previewbot.yaml:2:37: the text here has a character that nothing can hold; delete its `\\0` or `\\ud…`"],
        ),
        (
            "version: 1\napp: \x07\n",
            ["previewbot.yaml:2:6: the invisible character U+0007 stands here; delete it"],
        ),
    ],
)
def test_every_flaw_says_where_what_and_how_to_mend_it(text: str, flaws: list[str]) -> None:
    found = read(text)
    assert isinstance(found, tuple)
    assert [str(flaw) for flaw in found] == flaws


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", "a\\b", "", ".git", "a/.git/b", "a\x00b"])
def test_no_path_leaves_the_repository(path: str) -> None:
    found = read(f"version: 1\nservices:\n  web: {{build: {json.dumps(path)}}}\n")
    assert isinstance(found, tuple)


@pytest.mark.parametrize(
    "change",
    [
        "port: 0",
        "port: 65536",
        "port: true",
        "replicas: 0",
        "replicas: 11",
        "command: 'a \"b'",
        "command: []",
        "command: [1]",
        "health: nowhere",
        "health: {timeout: 11m}",
        "health: {timeout: 5}",
        "env: [A]",
        "env: {1A: x}",
        "env: {A: [1]}",
        "env: {A: null}",
        "public: yes",
        "build: {args: {A: {}}}",
        "build: {args: {A=B: x}}",
        "build: {dockerfile: a/}",
        "build: {target: '-x'}",
        "env: {PREVIEWBOT: x}",
        "env: {<<: x}",
        'env: {A: "\\ud800"}',
        "health: {timeout: 0s}",
        "health: /a b",
        "port:",
        "port: 80.0",
        "? [a]\n    : b",
    ],
)
def test_wrong_values_are_flaws(change: str) -> None:
    found = read(f"version: 1\nservices:\n  web:\n    image: x\n    {change}\n")
    assert isinstance(found, tuple)
    assert all(flaw.line in {4, 5} or "both" in flaw.problem for flaw in found)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    found = read("\n".join(lines))
    assert isinstance(found, tuple)
    assert "repeat too much" in found[0].problem


@pytest.mark.parametrize(
    "raw",
    [
        b"x" * 10_000_000,
        b"[" * 200_000,
        b"{a: " * 50_000,
        b"{" + b"a," * 100_000,
        b"a:\n" * 80_000,
        b"---\n" * 60_000,
        b"- " * 100_000,
        b"version: 1\nservices: {" + b",".join(b"s%d: {x: 1}" % n for n in range(1500)) + b"}",
        b"\xff\xfe",
        b"\x00",
        b"%YAML 1.1\n---\nversion: 1",
        b'a: "\\UFFFFFFFF"',
        b"a: *nope",
        b"a: !!python/object:os.system x",
    ],
    ids=range(14),
)
def test_hostile_bytes_are_a_few_flaws_in_bounded_time(raw: bytes) -> None:
    began = time.monotonic()
    found = read(raw)
    assert isinstance(found, tuple)
    assert 1 <= len(found) <= 50
    assert all(len(flaw.problem) < 400 for flaw in found)
    assert time.monotonic() - began < 5


IMAGES = ["redis", "redis:7", "ghcr.io/acme/shop:v1.2", "localhost:5000/a/b__c:x", f"a@sha256:{'0' * 64}", "a/b-c.d"]


@pytest.mark.parametrize("image", IMAGES)
def test_names_of_images(image: str) -> None:
    found = read(f"version: 1\nservices: {{web: {{image: '{image}'}}}}")
    assert isinstance(found, Blueprint)
    assert found.services[0].image == image


@pytest.mark.parametrize(
    "image", ["", "-x", "Redis", "a//b", "a/", "a b", "a:", "a@sha256:12", "http://a/b", "a" * 401]
)
def test_what_is_no_name_of_an_image(image: str) -> None:
    assert isinstance(read(f"version: 1\nservices: {{web: {{image: '{image}'}}}}"), tuple)


def test_anchors_and_aliases_spare_a_repetition() -> None:
    found = read("version: 1\nservices:\n  a: &a {image: x, env: {A: 1.0}}\n  b: *a\n")
    assert isinstance(found, Blueprint)
    assert [service.env for service in found.services] == [{"A": "1.0"}] * 2


def test_a_byte_order_mark_is_nothing() -> None:
    assert read(b"\xef\xbb\xbf" + FULL) == read(FULL)


def test_windows_lines_are_fine() -> None:
    assert read(FULL.replace(b"\n", b"\r\n")) == read(FULL)


@pytest.mark.parametrize(
    ("services", "public"),
    [
        ("a: {image: x, port: 1}", ["a"]),
        ("a: {image: x, port: 1}\n  b: {image: x, port: 2}", []),
        ("a: {image: x, port: 1}\n  web: {image: x, port: 2}", ["web"]),
        ("a: {image: x, port: 1, public: false}", []),
        ("a: {image: x, port: 1, public: true}\n  b: {image: x, port: 2, public: true}", ["a", "b"]),
        ("a: {image: x}", []),
    ],
)
def test_which_services_have_a_url(services: str, public: list[str]) -> None:
    found = read(f"version: 1\nservices:\n  {services}\n")
    assert isinstance(found, Blueprint)
    assert [service.name for service in found.services if service.public] == public


def test_the_app_is_named_after_its_repository_by_default() -> None:
    found = read("version: 1\nservices: {web: {image: x}}")
    assert isinstance(found, Blueprint)
    assert found.app == "fallback"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_blueprint_or_flaws(raw: bytes) -> None:
    found = parse(raw, fallback_app="app")
    assert isinstance(found, Blueprint) or (found and all(flaw.line >= 1 and flaw.column >= 1 for flaw in found))


words = st.sampled_from(
    [
        "version: 1",
        "services:",
        "  web:",
        "    build: .",
        "    port: 80",
        "  - x",
        "    env: {A: 1}",
        "\t",
        "x: &a",
        "y: *a",
    ]
)


@given(st.lists(words, max_size=12).map("\n".join))
def test_any_lines_are_a_blueprint_or_flaws(text: str) -> None:
    found = read(text)
    assert isinstance(found, Blueprint) or found


names = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
services = st.builds(
    Service,
    name=names,
    image=st.sampled_from(IMAGES),
    command=st.none() | st.lists(st.text(min_size=1, alphabet="ab c'\"$"), min_size=1).map(tuple),
    port=st.integers(1, 65535),
    public=st.booleans(),
    health=st.builds(Health, st.none() | st.just("/x"), st.integers(1, 600).map(lambda n: timedelta(seconds=n))),
    env=st.dictionaries(
        st.from_regex(r"[A-Z]{1,5}", fullmatch=True),
        # What begins a reference is not any text.
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{"), max_size=8),
    ),
    replicas=st.integers(1, 10),
) | st.builds(
    Service,
    name=names,
    build=st.builds(
        Build,
        context=st.sampled_from([".", "a", "a/b c", "é"]),
        dockerfile=st.sampled_from(["Dockerfile", "x/y"]),
        target=st.none() | st.just("prod"),
        args=st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), st.text("a1:", max_size=5)),
    ),
    kind=st.just(Kind.WORKER),
)
filters = st.builds(
    Filters,
    drafts=st.none() | st.booleans(),
    label=st.none() | st.text("a :#", max_size=5),
    label_required=st.none() | st.booleans(),
    branches=st.none() | st.lists(st.text("a*/[]", min_size=1, max_size=5), max_size=3).map(tuple),
)


@given(names, st.lists(services, min_size=1, max_size=4, unique_by=lambda service: service.name), filters)
def test_what_is_rendered_reads_back_the_same(app: str, made: list[Service], previews: Filters) -> None:
    blueprint = Blueprint(app, tuple(made), previews)
    assert read(render(blueprint)) == blueprint


def test_a_dockerfile_alone_is_an_app() -> None:
    assert from_dockerfile(b"FROM x\nEXPOSE 3000\n", app="shop").services[0].port == 3000
    (web,) = from_dockerfile(b"FROM x\n", app="shop").services
    assert (web.name, web.port, web.public, web.build) == ("web", 8080, True, Build())


def test_the_published_schema_is_current_and_takes_what_we_take() -> None:
    published = json.loads(Path("config/blueprint.schema.json").read_text())
    assert published == schema(), "write `previewbot.wire.blueprint.schema_text()` to config/blueprint.schema.json"
    validator = jsonschema_rs.validator_for(published)
    assert validator.is_valid(YAML(typ="safe", pure=True).load(FULL))
    assert not validator.is_valid({"version": 1, "services": {"web": {"prot": 1}}})


@given(st.lists(services, min_size=1, max_size=4, unique_by=lambda service: service.name), filters)
def test_the_published_schema_takes_all_that_we_render(made: list[Service], previews: Filters) -> None:
    rendered = YAML(typ="safe", pure=True).load(render(Blueprint("app", tuple(made), previews)))
    VALIDATOR.validate(rendered)


VALIDATOR = jsonschema_rs.validator_for(schema())
