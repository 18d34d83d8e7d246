"""A life on a real Docker engine with secrets in every place where one can be: no trace of their values is anywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.core.secrets import SHARED, Scope, SecretName
from previewbot.demo.github.state import Pull
from previewbot.ports import Value
from tests.fixtures.engine import BASE, FolderLogs
from tests.fixtures.traces import where
from tests.stories.town import Town, town

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PREVIEW = Scope("shop", "preview")
VALUES = {"TOKEN": "tok_9f3b/77+aa", "NPM_TOKEN": "npm_5d1c$x&yy"}
DOCKERFILE = f"""\
FROM {BASE}
RUN --mount=type=secret,id=NPM_TOKEN wc -c < /run/secrets/NPM_TOKEN > /length && cat /run/secrets/NPM_TOKEN
"""
BLUEPRINT = """\
version: 1
app: shop
services:
  web:
    build: {context: ., secrets: [NPM_TOKEN]}
    port: 8080
    public: true
    command: [httpd, -f, -p, "8080", -h, /etc]
    env: {URL: "https://${secrets.TOKEN}@example.com"}
    secrets: [TOKEN, SESSION_KEY]
  leak:
    kind: job
    build: {context: ., secrets: [NPM_TOKEN]}
    command: [sh, -c, "echo leaked; env; env | base64"]
    secrets: [TOKEN, SESSION_KEY]
hooks:
  release: {service: web, command: [sh, -c, "echo migrated; env"]}
secrets: {SESSION_KEY: {generate: 40}}
"""


async def _look_at_engine(engine: Engine, instance: str) -> dict[str, bytes]:
    """What the engine tells of everything of ours, but for the variables that programs are given."""

    def ask(client: Any) -> dict[str, object]:
        mine = {"label": [f"previewbot.instance={instance}"]}
        containers = [client.inspect_container(each["Id"]) for each in client.containers(all=True, filters=mine)]
        for each in containers:
            del each["Config"]["Env"]
        images = sorted({each["Image"] for each in containers})
        return {
            "containers": containers,
            "networks": client.networks(filters=mine),
            "images": [client.inspect_image(each) for each in images],
            "history": [client.history(each) for each in images],
            "kept": [b"".join(client.get_image(each)) for each in images],
        }

    found = await engine.call(ask, slow=True)
    kept = found.pop("kept")
    assert isinstance(kept, list)
    left = {name: json.dumps(each).encode() for name, each in found.items()}
    return left | {f"image {number}": each for number, each in enumerate(kept)}


def _look_around(city: Town, pull: Pull, folder: Path, logged: str) -> dict[str, bytes]:
    """What previewbot wrote: its database and its files, what it said, and what GitHub shows of it."""
    left = {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    assert any(name.startswith("previewbot.db") for name in left)
    assert any(name.endswith(".log") for name in left)
    assert "pull" in logged
    shown = {"comments": [each.body for each in pull.comments], "deployments": repr(city.hosted.deployments)}
    return left | {name: json.dumps(each).encode() for name, each in shown.items()} | {"said": logged.encode()}


async def _until(city: Town, pull: Pull, holds: Callable[[], bool]) -> None:
    """Let the town look at its engine, which it does not watch, until something is true."""
    async with asyncio.timeout(60):
        while not holds():
            await city.store.add([city.key(pull)], city.clock.now())
            await city.pass_time(timedelta(seconds=1))
            await asyncio.sleep(0.1)


async def test_no_value_is_anywhere_but_in_the_programs_that_declare_it(
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    engine: Engine,
    docker_runtime: DockerRuntime,
    instance: str,
    make_builder: Callable[..., DockerBuilder],
) -> None:
    async with town(tmp_path) as city:
        builder = make_builder(source=city.source, logs=FolderLogs(tmp_path))
        city.world = replace(city.world, runtime=docker_runtime, builder=builder, logs=FolderLogs(tmp_path))
        for name, value in VALUES.items():
            await city.secrets.put(PREVIEW, SecretName(SHARED, name), Value(value))
        pull = await city.open(files={"previewbot.yaml": BLUEPRINT, "Dockerfile": DOCKERFILE})
        await _until(city, pull, lambda: "**Preview is ready**" in city.comment(pull))
        city.github.comment(city.hosted, pull, "alice", "/run leak")
        await _until(city, pull, lambda: any("**leak** is done" in each.body for each in pull.comments))
        left = await _look_at_engine(engine, instance)
        await city.github.push(
            city.hosted, pull, {"previewbot.yaml": BLUEPRINT.replace("migrated; env", "x; env; exit 3")}
        )
        await _until(city, pull, lambda: "release hook exits with code 3" in city.comment(pull))
        values = {value for each in city.secrets.everything().values() for value in each.values()}
        assert len(values) == len(VALUES) + 1
        left |= _look_around(city, pull, tmp_path, capsys.readouterr().out)
        assert {name for value in values for name in where(value, among=left)} == set()
        assert where("leaked", among={"comments": left["comments"]}), "what was said is shown"
        assert "•••".encode() in left["comments"] or b"\\u2022" in left["comments"]
        await builder.close()
        await docker_runtime.delete(city.key(pull))
        for image in await builder.images():
            await builder.discard(image.image)
