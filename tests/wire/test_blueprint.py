"""Any bytes are a blueprint or a list of flaws, each with its place and the way to mend it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from previewbot.core.blueprint import Blueprint, Build, Filters, Flaw, Health, Service
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
            Service("worker", build=Build(), command=("python", "-m", "my worker")),
            Service("cache", image="redis:7", port=6379),
        ),
        previews=Filters(drafts=True, paths=("web/**",)),
    )


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("", ["previewbot.yaml:1:1: the file is empty; begin with `version: 1` and `services:`"]),
        ("- a", ["previewbot.yaml:1:1: keys and values are needed here; begin with `version: 1`"]),
        (
            "version: 1\nservices:\n  web:\n    build: .\n    prot: 80\n",
            ["previewbot.yaml:5:5: unknown key `prot` in service `web`; did you mean `port`?"],
        ),
        (
            "version: 1\nservices:\n  web: {build: ., port: '80'}\n",
            ["previewbot.yaml:3:25: `port` in service `web`: input should be a valid integer; write a whole number"],
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
                "previewbot.yaml:1:1: `version` is missing; add it",
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
            ["previewbot.yaml:2:33: `env` in service `web`: `PREVIEWBOT_URL` is set by previewbot itself"],
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
    assert "repeats too much" in found[0].problem


@pytest.mark.parametrize(
    "raw", [b"x" * 10_000_000, b"[" * 5000, b"\xff\xfe", b"\x00", b"a: !!python/object:os.system x"]
)
def test_hostile_bytes_are_flaws(raw: bytes) -> None:
    assert isinstance(read(raw), tuple)


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
    image=st.just("redis:7"),
    command=st.none() | st.lists(st.text(min_size=1, alphabet="ab c'\"$"), min_size=1).map(tuple),
    port=st.integers(1, 65535),
    public=st.booleans(),
    health=st.builds(Health, st.none() | st.just("/x"), st.integers(1, 600).map(lambda n: timedelta(seconds=n))),
    env=st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), st.text(alphabet="a1. :#'\"\né", max_size=8)),
    replicas=st.integers(1, 10),
)


@given(names, st.lists(services, min_size=1, max_size=4, unique_by=lambda service: service.name))
def test_what_is_rendered_reads_back_the_same(app: str, made: list[Service]) -> None:
    blueprint = Blueprint(app, tuple(made))
    assert read(render(blueprint)) == blueprint


def test_a_dockerfile_alone_is_an_app() -> None:
    assert from_dockerfile(b"FROM x\nEXPOSE 3000\n", app="shop").services[0].port == 3000
    (web,) = from_dockerfile(b"FROM x\n", app="shop").services
    assert (web.name, web.port, web.public, web.build) == ("web", 8080, True, Build())


def test_the_published_schema_is_current_and_takes_what_we_take() -> None:
    """`make schema` writes it."""
    published = json.loads(Path("config/blueprint.schema.json").read_text())
    assert published == schema()
    validator = jsonschema_rs.validator_for(published)
    assert validator.is_valid(YAML(typ="safe", pure=True).load(FULL))
    assert not validator.is_valid({"version": 1, "services": {"web": {"prot": 1}}})
