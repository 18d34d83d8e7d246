"""What ``buildctl`` is told: every argument, and its surroundings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from previewbot.adapters.building import Inputs
from previewbot.adapters.buildkit.kit import Kit, Tls, furnish
from previewbot.adapters.buildkit.login import Login
from previewbot.adapters.buildkit.names import Names
from previewbot.adapters.buildkit.recipe import Cache, Recipe
from previewbot.core.blueprint import Build
from tests.fixtures.engine import order

NAMES = Names("registry.test:5000/team/previews", "app-1")
CACHE = "registry.test:5000/team/previews/app-1:cache-7-x"
RECIPE = Recipe(
    inputs=Inputs(Path("/tree/web"), Path("/tree/web/docker/Dev")),
    build=Build(target="one", args={"A": "b, c=d"}),
    reference=NAMES.tagged("0f0f"),
    labels=NAMES.labels("0f0f"),
    cache=Cache.REGISTRY,
    cache_reference=CACHE,
    knows_cache=True,
)
PLACE = f"type=registry,ref={CACHE}"


def test_the_whole_call() -> None:
    assert RECIPE.arguments(Path("/home/metadata.json")) == [
        "build",
        "--progress=plain",
        "--frontend=dockerfile.v0",
        *("--local", "context=/tree/web", "--local", "dockerfile=/tree/web/docker"),
        *("--opt", "filename=Dev", "--opt", "target=one", "--opt", "build-arg:A=b, c=d"),
        *("--opt", "label:previewbot.instance=app-1", "--opt", "label:previewbot.image=0f0f"),
        *("--output", 'type=image,"name=registry.test:5000/team/previews/app-1:0f0f",push=true'),
        *("--metadata-file", "/home/metadata.json"),
        *("--import-cache", PLACE),
        *("--export-cache", f"{PLACE},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"),
    ]


def test_a_fresh_build_reads_no_cache_but_writes_it() -> None:
    made = replace(RECIPE, fresh=True).arguments(Path("/m"))
    assert "--import-cache" not in made
    assert "--export-cache" in made
    assert made[made.index("no-cache=") - 1] == "--opt"


def test_a_cache_that_is_not_there_is_not_read() -> None:
    assert "--import-cache" not in replace(RECIPE, knows_cache=False).arguments(Path("/m"))


def test_a_cache_in_the_image_is_one_more_name_of_it() -> None:
    made = replace(RECIPE, cache=Cache.INLINE).arguments(Path("/m"))
    assert f'type=image,"name={RECIPE.reference},{CACHE}",push=true' in made
    assert made[-4:] == ["--import-cache", PLACE, "--export-cache", "type=inline"]


def test_without_a_cache_none_is_named() -> None:
    assert "cache" not in " ".join(replace(RECIPE, cache=Cache.NONE).arguments(Path("/m")))


def test_plain_http_is_said_wherever_the_registry_is_named() -> None:
    made = [each for each in replace(RECIPE, plain_http=True).arguments(Path("/m")) if "registry.test" in each]
    assert len(made) == 3
    assert all("registry.insecure=true" in each for each in made)


def test_services_that_are_built_alike_share_a_cache_and_others_do_not() -> None:
    tags = {
        NAMES.cache_tag(order("image-1", "c1", context="web")),
        NAMES.cache_tag(order("image-2", "c2", context="web", args={"A": "b"})),
        NAMES.cache_tag(order("image-1", "c1", context="api")),
        NAMES.cache_tag(order("image-1", "c1", context="web", target="one")),
        NAMES.cache_tag(order("image-1", "c1", context="web", dockerfile="Other")),
    }
    assert len(tags) == 4
    assert all(tag.startswith("cache-7-") for tag in tags)


@pytest.mark.parametrize("image", ["cache-7-x", "", "a b", "x" * 129, "-x", "a,b", "a@b"])
def test_what_is_no_tag_of_an_image_is_never_named(image: str) -> None:
    with pytest.raises(ValueError, match="not a name of ours"):
        NAMES.tagged(image)


@pytest.mark.parametrize(
    ("reference", "inside"),
    [
        (NAMES.pinned(f"sha256:{'a' * 64}"), f"sha256:{'a' * 64}"),
        (NAMES.tagged("0f0f"), "0f0f"),
        ("registry.test:5000/team/previews/app-1", None),
        ("registry.test:5000/team/previews/app-12:0f0f", None),
        ("registry.test:5000/team/previews/app-1/x:0f0f", None),
        ("registry.test:5000/team/previews/app-1@md5:0", None),
        ("redis:7", None),
    ],
)
def test_only_references_to_our_own_repository_are_read(reference: str, inside: str | None) -> None:
    assert NAMES.split(reference) == inside


@pytest.mark.parametrize(
    ("prefix", "repository"),
    [("localhost:5000", "app-1"), ("localhost:5000/", "app-1"), ("r.test/a/b", "a/b/app-1")],
)
def test_an_instance_has_one_repository(prefix: str, repository: str) -> None:
    assert Names(prefix, "App_1").repository == repository


def test_buildkit_is_reached_with_the_papers_that_are_given(tmp_path: Path) -> None:
    program = tmp_path / "buildctl"
    program.write_text("")
    program.chmod(0o755)
    tls = Tls(tmp_path / "ca", tmp_path / "certificate", tmp_path / "key")
    command = Kit("tcp://build.test:1", str(program), tls).command()
    assert command[command.index(str(program)) :] == [
        str(program),
        *("--addr", "tcp://build.test:1", "--tlscacert", f"{tmp_path}/ca"),
        *("--tlscert", f"{tmp_path}/certificate", "--tlskey", f"{tmp_path}/key"),
    ]


def test_hardly_anything_of_the_environment_reaches_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREVIEWBOT_WEBHOOK_SECRET", "s3cret")
    monkeypatch.setenv("KUBECONFIG", "/cluster")
    made = Kit("unix:///x").environment(tmp_path)
    assert "s3cret" not in str(made)
    assert "KUBECONFIG" not in made
    assert made["HOME"] == made["DOCKER_CONFIG"] == str(tmp_path)


def test_a_home_holds_the_login_of_one_registry_and_what_to_trust(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("certificates")
    furnish(tmp_path, "registry.test", Login("robot", "s3cret"), tmp_path / "ca.pem")
    config = tmp_path / "config.json"
    assert json.loads(config.read_text()) == {"auths": {"registry.test": {"auth": "cm9ib3Q6czNjcmV0"}}}
    assert config.stat().st_mode & 0o777 == 0o600
    trusted = Path(Kit("unix:///x").environment(tmp_path)["SSL_CERT_DIR"].rpartition(":")[2])
    assert [each.read_text() for each in trusted.iterdir()] == ["certificates"]
