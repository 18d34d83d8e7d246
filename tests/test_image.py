"""previewbot's own image: built on a real engine from a Debian made here, and run the way the Compose file says."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.types import Mount
from ruamel.yaml import YAML

from previewbot.demo import machine, sample
from previewbot.demo.base_image import import_base
from previewbot.demo.stage import free_port
from previewbot.demo.story import Visitor, said, until
from tests.fixtures.composed import CADDY, PREVIEWBOT, composed, import_caddy
from tests.fixtures.previewbot_image import ENVIRONMENT, Ground

SOURCES = Path(__file__).parents[1]
COMPOSE = YAML(typ="safe").load(SOURCES / "deploy" / "compose" / "compose.yaml")["services"]["previewbot"]
BASE = "previewbot-test/python:1"
BUILDKIT = "previewbot-test/buildkit:1"
IMAGE = "previewbot-test/previewbot:1"

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def client(docker_host: str) -> Iterator[Any]:
    made = docker.APIClient(docker_host, version="auto", timeout=120)
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(client: Any, docker_host: str, image_ground: Ground) -> Iterator[str]:
    """What ``docker build`` makes of the Dockerfile, on a base like Python's own image."""
    for name, tar in ((BASE, image_ground.base), (BUILDKIT, image_ground.buildkit)):
        repository, _, tag = name.partition(":")
        changes = [f"ENV {variable}={value}" for variable, value in ENVIRONMENT.items()]
        client.import_image_from_file(str(tar), repository, tag, changes=changes)
    given = ("--build-arg", f"BASE={BASE}", "--build-arg", f"BUILDKIT={BUILDKIT}")
    built = ("docker", "-H", docker_host, "build", "--network=host", *given, "-t", IMAGE, ".")
    done = subprocess.run(built, cwd=SOURCES, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield IMAGE
    for each in (IMAGE, BASE, BUILDKIT):
        client.remove_image(each, force=True)


@pytest.fixture
def running(client: Any, image: str, docker_host: str, tmp_path: Path) -> Iterator[str]:
    """A container of it with every restriction of the Compose file."""
    etc = tmp_path / "etc"
    (etc / "secrets").mkdir(parents=True, mode=0o755)
    for name in ("key.pem", "secret"):
        (etc / "secrets" / name).write_text("nobody knows")
    socket = Path(docker_host.removeprefix("unix://"))
    (etc / "previewbot.yaml").write_text(
        "github: {app_id: 1, private_key_file: secrets/key.pem, webhook_secret_files: [secrets/secret]}\n"
        "caddy: {admin: 'http://127.0.0.1:1'}\n"
    )
    tmp_path.chmod(0o755)
    host = client.create_host_config(
        network_mode=COMPOSE["network_mode"],
        cap_drop=COMPOSE["cap_drop"],
        security_opt=COMPOSE["security_opt"],
        read_only=COMPOSE["read_only"],
        tmpfs=dict.fromkeys(COMPOSE["tmpfs"], ""),
        group_add=[str(socket.stat().st_gid)],
        mounts=[
            Mount("/var/run/docker.sock", str(socket), type="bind"),
            Mount("/etc/previewbot", str(etc), type="bind", read_only=True),
            Mount("/var/lib/previewbot", None, type="volume"),
        ],
    )
    port = {"PREVIEWBOT_SERVER__PORT": str(free_port(0))}
    place = COMPOSE["working_dir"]
    made = client.create_container(image, host_config=host, environment=port, working_dir=place)["Id"]
    client.start(made)
    yield made
    client.remove_container(made, force=True, v=True)


def _run(client: Any, container: str, *command: str, **environment: str) -> tuple[int, str]:
    made = client.exec_create(container, command, environment=environment)["Id"]
    said = client.exec_start(made).decode("utf-8", "replace")
    return client.exec_inspect(made)["ExitCode"], said


def test_it_serves_as_nobody_special_and_is_healthy(client: Any, running: str) -> None:
    for _ in range(400):
        state = client.inspect_container(running)["State"]
        if state["Health"]["Status"] == "healthy" or not state["Running"]:
            break
        time.sleep(0.1)
    assert state["Health"]["Status"] == "healthy", client.logs(running).decode()
    assert _run(client, running, "id", "-u") == (0, "10001\n")


def test_its_docker_command_builds_with_buildkit_on_the_engine_of_the_host(client: Any, running: str) -> None:
    code, said = _run(client, running, "docker", "version", "--format", "{{.Client.APIVersion}} {{.Server.Version}}")
    assert code == 0, said
    build = "printf 'FROM scratch\nLABEL a=b\n' | docker build -q -"
    code, said = _run(client, running, "sh", "-c", build, DOCKER_BUILDKIT="1", HOME="/tmp", DOCKER_CONFIG="/tmp")
    assert code == 0, said
    client.remove_image(said.strip())


def test_it_has_the_client_of_buildkit(client: Any, running: str) -> None:
    code, said = _run(client, running, "buildctl", "--version")
    assert code == 0, said
    assert said.startswith("buildctl ")


def test_it_has_what_it_needs_and_says_what_is_missing(client: Any, running: str) -> None:
    code, said = _run(client, running, "previewbot", "doctor", "--config", "/etc/previewbot/previewbot.yaml")
    assert code == 1
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "ok" in lines["Engine"], said
    assert "BuildKit" in lines["Engine"], said
    assert "ok" in lines["Database"], said
    assert "does not answer" in said


def test_it_holds_neither_tests_nor_compilers_nor_tools(client: Any, running: str) -> None:
    code, said = _run(
        client, running, "sh", "-c", "command -v gcc dockerd ruff mypy pytest uv; ls /source /tools /wheels"
    )
    assert code != 0
    assert not [line for line in said.splitlines() if line.startswith("/")], said


@pytest.fixture
def images_of_compose(client: Any, image: str, docker_host: str) -> Iterator[None]:
    """The images that the Compose file names."""
    import_base(docker_host)
    asyncio.run(machine.install("caddy"))
    import_caddy(client, Path(str(shutil.which("caddy"))))
    client.tag(image, PREVIEWBOT)
    yield
    for each in (PREVIEWBOT, CADDY):
        client.remove_image(each, force=True)


@pytest.mark.usefixtures("images_of_compose")
async def test_the_compose_file_brings_up_what_gives_a_pull_request_its_preview(
    docker_host: str, tmp_path: Path
) -> None:
    async with composed(docker_host, tmp_path) as made:
        stage = made.stage
        await until("previewbot", lambda: "(healthy)" in made.compose("ps", "previewbot"), pause=0.5)
        files = {sample.GREETING: "composed\n"}
        pull = await stage.github.open_pull(stage.repository, author="alice", title="Composed", files=files)
        visitor = Visitor(stage, pull)
        await until("the URL", lambda: visitor.serves(pull.sha))
        await until("the comment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))
        doctor = "exec -T previewbot previewbot doctor --config /etc/previewbot/previewbot.yaml"
        # In a thread: GitHub, which the doctor asks, is simulated in this one.
        assert "No problems." in await asyncio.to_thread(made.compose, *doctor.split())
        stage.github.close(stage.repository, pull)
        await until("nothing is left", stage.is_empty)
        await until("the comment", lambda: said(pull, "**Preview removed**", "checked gone"))
    assert not [line for line in (tmp_path / "said").read_text().splitlines() if '"level": "error"' in line]
