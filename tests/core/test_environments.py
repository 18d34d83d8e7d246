"""An environment has what its blueprint declares for it, and the rest as everywhere."""

from __future__ import annotations

import pytest

from previewbot.core import environments
from previewbot.core.blueprint import Blueprint, Resource, ResourceType
from previewbot.core.resources import volume
from previewbot.wire.blueprint import parse

STACK = b"""\
version: 1
services:
  web: {build: ., port: 80, size: small}
  nightly: {kind: cron, build: ., schedule: "0 3 * * *"}
resources: {db: {type: postgres, size: small, backups: weekly}}
environments:
  preview: {services: {web: {replicas: 2}, nightly: {schedule: false}}}
  production: {services: {web: {size: large}}, resources: {db: {size: large, backups: daily}}}
"""


@pytest.fixture
def blueprint() -> Blueprint:
    found = parse(STACK, fallback_app="shop")
    assert isinstance(found, Blueprint)
    return found


def test_what_an_environment_declares_holds(blueprint: Blueprint) -> None:
    web, nightly = environments.apply(blueprint, "preview").services
    assert (web.replicas, web.size) == (2, "small")
    assert nightly.schedule is not None
    assert not nightly.schedule.enabled
    made = environments.apply(blueprint, "production")
    assert (made.services[0].size, made.services[0].replicas) == ("large", 1)
    assert (made.resources[0].size, made.resources[0].backups) == ("large", "daily")
    assert made.services[1] == blueprint.services[1]


def test_an_environment_that_declares_nothing_is_as_everywhere(blueprint: Blueprint) -> None:
    assert environments.apply(blueprint, "staging") == blueprint


@pytest.mark.parametrize(
    ("version", "name"),
    [("16.10", "db-16-10"), (None, "db-17"), ("16_A", "db-16-a-"), ("9" * 128, "db-99999999999999999999-")],
)
def test_each_version_has_a_volume_whose_name_every_runtime_takes(version: str | None, name: str) -> None:
    made = volume(Resource("db", ResourceType.POSTGRES, version))
    assert made.startswith(name)
    assert len(made) <= 63
    assert made == made.lower().replace("_", "-")
