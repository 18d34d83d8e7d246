"""An environment has what its blueprint declares for it, and the rest as everywhere."""

from __future__ import annotations

import pytest

from previewbot.core import environments
from previewbot.core.blueprint import Blueprint, Resource, ResourceType
from previewbot.core.resources import Shelf, volume
from previewbot.core.secrets import PASSWORD, SecretName, Versions
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
    [("16.10", "db-16-10-"), (None, "db-17-"), ("16_A", "db-16-a-"), ("9" * 128, "db-99999999999999999999-")],
)
def test_each_version_has_a_volume_whose_name_every_runtime_takes(version: str | None, name: str) -> None:
    made = volume(Resource("db", ResourceType.POSTGRES, version), _known("db"), Shelf())
    assert made.startswith(name)
    assert made == made.lower().replace("_", "-")
    assert len(volume(Resource("d" * 32, ResourceType.POSTGRES, version), _known("d" * 32), Shelf())) <= 63


def test_what_no_name_can_hold_of_a_version_still_tells_volumes_apart() -> None:
    found = (Resource("db", ResourceType.POSTGRES, each) for each in ("16.1", "16-1", "16_1"))
    assert len({volume(each, _known("db"), Shelf()) for each in found}) == 3


def test_a_new_password_has_a_new_volume_since_the_server_keeps_the_one_that_its_files_were_made_with() -> None:
    db = Resource("db", ResourceType.POSTGRES)
    assert volume(db, _known("db", "1"), Shelf()) != volume(db, _known("db", "2"), Shelf())
    uploads = Resource("uploads", ResourceType.VOLUME)
    assert volume(uploads, Versions(), Shelf()) == "uploads"


def _known(resource: str, version: str = "1") -> Versions:
    return Versions(own={SecretName(resource, PASSWORD): version})
