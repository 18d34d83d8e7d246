"""A real API server accepts whatever ``previewbot render`` makes of a blueprint that validates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from previewbot.adapters.kubernetes import Options, place_of
from previewbot.adapters.kubernetes.connection import Request
from previewbot.adapters.kubernetes.enclosure import namespace
from previewbot.adapters.kubernetes.kinds import Thing, kind_of
from previewbot.cli.render import Runtime, documents
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.wire.blueprint import dump
from tests.cli.blueprints import Document, files
from tests.cli.test_render import read
from tests.fixtures.kubernetes import Rig

_numbers = count(1)


@pytest.fixture
async def home(kubernetes: Rig) -> AsyncIterator[str]:
    """A namespace that is there: nothing can be tried in one that is not."""
    wanted = namespace(place_of(Key(9, next(_numbers)), kubernetes.names, Options()))
    made = await kubernetes.api.create(wanted)
    assert made
    yield made["metadata"]["name"]
    await kubernetes.api.delete(made)


@pytest.mark.cluster
@pytest.mark.timeout(300)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files)
async def test_whatever_validates_is_accepted_in_every_environment(kubernetes: Rig, home: str, file: Document) -> None:
    blueprint = read(dump(file))
    for environment in ("preview", *blueprint.environments):
        for each in documents(blueprint, environment, Runtime.KUBERNETES):
            await _try(kubernetes, _filled(each, home))


@pytest.mark.cluster
async def test_a_field_that_there_is_not_is_refused(kubernetes: Rig, home: str) -> None:
    (web,) = [each for each in _of("version: 1\nservices: {web: {image: x}}\n") if each["kind"] == "Deployment"]
    await _try(kubernetes, _filled(web, home))
    web["spec"]["template"]["spec"]["hostname"] = "Not a name"
    with pytest.raises(Refused):
        await _try(kubernetes, _filled(web, home))


def _of(text: str) -> list[Document]:
    return documents(read(text), "preview", Runtime.KUBERNETES)


async def _try(rig: Rig, thing: Thing) -> None:
    """Apply a manifest as the runtime does, but for good of nothing."""
    about = thing["metadata"]
    query = {"fieldManager": "previewbot", "force": "true", "fieldValidation": "Strict", "dryRun": "All"}
    path = kind_of(thing).path(about.get("namespace"), about["name"])
    assert await rig.api.connection.object(Request("PATCH", path, query=query, body=thing, content=_APPLY))


_APPLY = "application/apply-patch+yaml"


def _filled(thing: Thing, home: str) -> Thing:
    """A manifest with something in the place of what only a cluster or a builder knows."""
    addresses = count(1)

    def fill(value: Any) -> Any:
        match value:
            case dict():
                return {name: fill(each) for name, each in value.items()}
            case list():
                return [fill(each) for each in value]
            case str() if value.startswith("<built from "):
                return f"registry.test/app@sha256:{'0' * 64}"
            case str() if value.startswith("<address of "):
                return f"10.96.0.{next(addresses)}"
            case _:
                return value

    made: Thing = fill(thing)
    if "namespace" in made["metadata"]:
        made["metadata"]["namespace"] = home
    return made
