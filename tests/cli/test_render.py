"""``previewbot render`` tells what the runtimes would be told: overrides applied, no secret, the same every time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from previewbot.adapters.docker import Limits, Names, containers, images
from previewbot.cli.render import Runtime, documents
from previewbot.core.blueprint import Blueprint
from previewbot.core.imagined import KEY, Terms, digests, imagine, sealed
from previewbot.core.masking import MASK
from previewbot.core.model import Size
from previewbot.core.resources import Shelf
from previewbot.wire.blueprint import dump, parse
from tests.cli.blueprints import files
from tests.fixtures.command import run, start
from tests.judges.manifests import validated
from tests.wire.blueprint.stack import STACK

Document = dict[str, Any]
EXAMPLES = settings().max_examples
"""Of the profile that was asked for: a property that takes its time has a part of them."""


def read(text: str) -> Blueprint:
    found = parse(text.encode(), fallback_app="shop")
    assert isinstance(found, Blueprint), [str(each) for each in found]
    return found


def bodies(blueprint: Blueprint, environment: str = "preview") -> dict[str, Document]:
    """The bodies of all containers by service and index."""
    found = [each for each in documents(blueprint, environment, Runtime.DOCKER) if "container" in each]
    return {
        f"{each['body']['Labels']['previewbot.service']}-{each['body']['Labels']['previewbot.index']}": each["body"]
        for each in found
    }


def things(blueprint: Blueprint, kind: str, environment: str = "preview") -> list[Document]:
    """The objects of one kind."""
    return [each for each in documents(blueprint, environment, Runtime.KUBERNETES) if each["kind"] == kind]


@pytest.fixture
def stack() -> Blueprint:
    return read(STACK)


def test_the_overrides_of_an_environment_hold(stack: Blueprint) -> None:
    assert {each for each in bodies(stack, "production") if each.startswith("web")} == {"web-0", "web-1", "web-2"}
    assert {each for each in bodies(stack) if each.startswith("web")} == {"web-0"}
    assert bodies(stack)["nightly-0"]["Labels"]["previewbot.schedule"].endswith("\noff")
    assert bodies(stack, "production")["nightly-0"]["Labels"]["previewbot.schedule"].endswith("\non")
    hosts = [each["spec"]["rules"][0]["host"] for each in things(stack, "Ingress", "production")]
    assert hosts == ["shop.example.com"]
    (web,) = [each for each in things(stack, "Deployment", "production") if each["metadata"]["name"].startswith("web-")]
    assert web["spec"]["replicas"] == 3


def test_a_size_is_what_the_operator_says(stack: Blueprint) -> None:
    sizes = {"small": Size(0.5, 256 * 2**20), "large": Size(4, 2**30)}
    release = imagine(stack, "production", Terms(shelf=Shelf(sizes=sizes))).release
    assert {each.name: each.size for each in release.services if each.name == "web"} == {"web": sizes["large"]}


def test_a_run_has_the_time_that_its_blueprint_gives_it_on_every_runtime(stack: Blueprint) -> None:
    own = {name: bodies(stack)[f"{name}-0"]["Labels"]["previewbot.health.timeout"] for name in ("nightly", "reindex")}
    assert own == {"nightly": "3600.0", "reindex": "5400.0"}
    jobs = {each["metadata"]["labels"]["previewbot.dev/service"]: each["spec"] for each in things(stack, "Job")}
    deadlines = {name: each["template"]["spec"]["activeDeadlineSeconds"] for name, each in jobs.items() if name in own}
    assert deadlines == {"nightly": 3600, "reindex": 5400}


def test_an_environment_is_told_its_own_name() -> None:
    text = "version: 1\nservices: {web: {build: ., port: 80, env: {IN: '${environment.name} ${environment.kind}'}}}\n"
    blueprint = read(f"{text}environments: {{staging: {{}}}}\n")
    assert "IN=staging staging" in bodies(blueprint, "staging")["web-0"]["Env"]
    assert "IN=pr-1 preview" in bodies(blueprint)["web-0"]["Env"]
    assert not [each for each in bodies(blueprint, "staging")["web-0"]["Env"] if "PULL_REQUEST" in each]


def test_every_secret_is_hidden(stack: Blueprint) -> None:
    env = dict(each.split("=", 1) for each in bodies(stack)["api-0"]["Env"])
    assert (env["DATABASE_URL"], env["TOKEN"]) == (f"postgresql://app:{MASK}@db:5432/app", MASK)
    assert bodies(stack)["api-0"]["Cmd"] == ["./serve", "--key", MASK]
    for secret in things(stack, "Secret"):
        assert "data" not in secret
        assert all(MASK in value for value in secret["stringData"].values())


def test_an_image_that_would_be_built_is_named_after_its_build(stack: Blueprint) -> None:
    image = bodies(stack)["api-0"]["Image"]
    assert image == "<built from api/Dockerfile>"
    assert bodies(stack)["web-0"]["Image"].startswith("<built from web/Dockerfile, arguments ")
    pods = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in things(stack, "Deployment")]
    assert image in pods
    assert "postgres:16.10" in pods


def test_a_bucket_is_told_by_its_address() -> None:
    text = "version: 1\nservices: {web: {build: ., port: 80, env: {A: 'x${resources.f.url} $${B}'}}}\n"
    assert "A=xhttp://f:7070/app ${B}" in bodies(read(f"{text}resources: {{f: storage}}\n"))["web-0"]["Env"]


def test_everything_belongs_to_one_namespace_that_is_fenced_in(stack: Blueprint) -> None:
    found = documents(stack, "preview", Runtime.KUBERNETES)
    (namespace,) = [each["metadata"]["name"] for each in found if each["kind"] == "Namespace"]
    assert {each["metadata"].get("namespace") for each in found[1:]} == {namespace}
    assert len([each for each in found if each["kind"] == "NetworkPolicy"]) == 5


def test_the_bodies_are_those_that_the_engine_is_sent(stack: Blueprint) -> None:
    made = imagine(stack, "preview", Terms())
    (web,) = [each for each in made.release.services if each.name == "web"]
    network = Names("previewbot").network(KEY, made.release.revision, 1)
    berth = containers.Berth(KEY, made.release.revision, web, 0, network)
    image = images.Image(digests(made)[web.image], ())
    own = sealed(made.release)["web"]
    assert bodies(stack)["web-0"] == containers.container(
        berth, image, own, names=Names("previewbot"), limits=Limits()
    )  # fmt: skip


@settings(max_examples=EXAMPLES // 2)
@given(files)
def test_whatever_validates_is_rendered_and_twice_the_same(file: Document) -> None:
    blueprint, again = read(dump(file)), read(dump(file))
    for environment in ("preview", *blueprint.environments):
        for runtime in Runtime:
            found = documents(blueprint, environment, runtime)
            assert json.dumps(found) == json.dumps(documents(again, environment, runtime))
            assert json.loads(json.dumps(found)) == found


@settings(max_examples=EXAMPLES * 3 // 10)
@given(files, st.sampled_from(list(Runtime)), st.randoms())
def test_removing_a_service_removes_exactly_it(file: Document, runtime: Runtime, chance: Random) -> None:
    before = file | {"services": {"extra": {"image": "redis:7", "port": 1}} | file["services"]}
    name = chance.choice(sorted(before["services"].keys() - {"web"}))
    after = before | {"services": {each: body for each, body in before["services"].items() if each != name}}
    left, was = (_known(documents(read(dump(each)), "preview", runtime), without=name) for each in (after, before))
    assert left.items() <= was.items(), "what stays is what it was"
    mounts = {each for each, body in before["services"].items() if "volumes" in body}
    assert {was[each] for each in was.keys() - left.keys()} == {name} | ({"data"} if mounts == {name} else set())


def _known(found: list[Document], *, without: str) -> dict[str, str]:
    """Every object, as text, and whose it is; but for hashes of the whole, and for what siblings are told of one."""
    for each in found:
        _forget(each.get("body", {}), without)
        _forget(each.get("spec", {}).get("template", {}).get("spec", {}), without)
    labels = [
        {**each.get("body", {}).get("Labels", {}), **each.get("metadata", {}).get("labels", {})} for each in found
    ]
    services = [each.get("previewbot.service") or each.get("previewbot.dev/service") for each in labels]
    revision = next(
        each.get("previewbot.revision") or each["previewbot.dev/revision"]
        for each in labels[::-1]
        if "web" in each.values()
    )
    texts = [json.dumps(each, sort_keys=True).replace(revision, "R").replace(revision[:10], "R") for each in found]
    return {text: service or _owner(each) for text, each, service in zip(texts, found, services, strict=True)}


def _forget(program: Document, name: str) -> None:
    program.get("Labels", {}).pop("previewbot.edition", None)
    variable = f"PREVIEWBOT_{name.upper().replace('-', '_')}_URL"
    if "Env" in program:
        program["Env"] = [each for each in program["Env"] if not each.startswith(f"{variable}=")]
    for each in program.get("containers", ()):
        each["env"] = [one for one in each.get("env", ()) if one["name"] != variable]
    if "hostAliases" in program:
        program["hostAliases"] = [each for each in program["hostAliases"] if each["hostnames"] != [name]]


def _owner(thing: Document) -> str:
    """Whose an object is that names no service in its labels."""
    if thing.get("kind") == "Ingress":
        backend = thing["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
        return str(backend).rpartition("-")[0]
    volume = thing.get("volume", {}).get("labels") or thing.get("metadata", {}).get("labels", {})
    return str(volume.get("previewbot.volume") or volume.get("previewbot.dev/volume") or "all")


@pytest.mark.parametrize("runtime", Runtime)
def test_it_is_the_same_whatever_the_order_of_sets_in_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    (tmp_path / "previewbot.yaml").write_text(STACK)
    command = ("render", "-e", "production", "--runtime", runtime.value)
    here = run(*command, cwd=tmp_path).stdout
    monkeypatch.setenv("PYTHONHASHSEED", "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1")
    assert start(*command, cwd=tmp_path).stdout == here
    assert here.count("---") > 10


def test_a_file_is_rendered_as_documents_of_yaml_or_as_json(tmp_path: Path) -> None:
    (tmp_path / "previewbot.yaml").write_text(STACK)
    done = run("render", "--environment", "production", "--runtime", "kubernetes", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("# What `production` would run on kubernetes.")
    assert "  replicas: 3\n" in done.stdout
    assert "Sizes are the operator's: `large` is shown" in done.stderr
    assert list(YAML(typ="safe", pure=True).load_all(done.stdout)) == documents(
        read(STACK), "production", Runtime.KUBERNETES
    )
    told = json.loads(run("render", "--json", cwd=tmp_path).stdout)
    assert told == documents(read(STACK), "preview", Runtime.DOCKER)


def test_an_environment_that_is_not_there_is_three_lines(tmp_path: Path) -> None:
    (tmp_path / "previewbot.yaml").write_text(STACK)
    done = run("render", "-e", "prod", cwd=tmp_path)
    assert done.returncode == 2
    assert "It has preview, staging, production." in done.stderr
    assert not done.stdout


def test_the_operators_configuration_says_sizes_limits_and_domain_and_its_secrets_stay_unread(tmp_path: Path) -> None:
    (tmp_path / "previewbot.yaml").write_text(STACK)
    (tmp_path / "conf.yaml").write_text(
        "github: {app_id: 1, private_key_file: none.pem, webhook_secret_files: [none]}\n"
        "storage: {folder: state}\n"
        "previews: {domain: previews.example.com}\n"
        "sizes: {small: {cpu: 0.5, memory: 256MiB}}\n"
        "docker: {pids: 77}\n"
    )
    done = run("render", "--config", "conf.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Sizes" not in done.stderr
    (web,) = [each["body"] for each in json.loads(done.stdout) if each.get("container", "").endswith("-web-0")]
    assert (web["HostConfig"]["Memory"], web["HostConfig"]["PidsLimit"]) == (256 * 2**20, 77)
    assert "PREVIEWBOT_URL=http://pr-1-shop.previews.example.com:8080" in web["Env"]
    assert not (tmp_path / "state").exists()
    done = run("render", "-e", "production", "--config", "conf.yaml", "--json", cwd=tmp_path)
    assert "The configuration has no size `large`" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kubernetes_knows_every_field_of_what_is_rendered(stack: Blueprint) -> None:
    for environment in ("preview", "production"):
        assert not validated("---\n".join(map(dump, documents(stack, environment, Runtime.KUBERNETES))))
