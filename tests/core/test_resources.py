"""Servers of an environment: whatever opens one is a secret that previewbot made, and so can hide."""

from __future__ import annotations

import re

import pytest

from previewbot.core.blueprint import Resource, ResourceType
from previewbot.core.model import ServiceSpec
from previewbot.core.resources import SERVERS, Shelf, Spot, server
from previewbot.core.secrets import PASSWORD, SecretName, Versions, plain, seals
from tests.core.facts import KEY

MADE = SecretName("db", PASSWORD)
VERSIONS = Versions(own={MADE: "1"})


def _server(type_: ResourceType, shelf: Shelf | None = None) -> ServiceSpec:
    (made,) = server(Resource("db", type_), VERSIONS, Spot(KEY, "shop", shelf or Shelf())).services
    return made


@pytest.mark.parametrize("type_", SERVERS)
def test_no_server_is_told_a_password_in_the_clear_or_makes_one_that_nobody_could_hide(type_: ResourceType) -> None:
    made = _server(type_)
    assert not [name for name in made.env if re.search("PASS|SECRET|RANDOM|EMPTY", name)]
    assert {seal.name for seal in seals(made.sealed)} <= {MADE}


def test_of_mysql_root_has_a_password_that_can_be_hidden_and_is_nobody_from_outside() -> None:
    made = _server(ResourceType.MYSQL)
    assert plain(made.sealed["MYSQL_ROOT_PASSWORD"]) is None
    assert made.env["MYSQL_ROOT_HOST"] == "localhost"


def test_mysql_is_started_such_that_it_fits_into_the_usual_memory() -> None:
    """A real one of 9.7 in the official image's entrypoint was killed in its first start in 512 MiB without this."""
    made = _server(ResourceType.MYSQL)
    assert made.command == ("mysqld", "--performance-schema=OFF")


@pytest.mark.parametrize("type_", SERVERS)
def test_an_operators_own_image_is_used_in_the_version_that_the_app_asks_for(type_: ResourceType) -> None:
    shelf = Shelf({type_: "registry.example.com:5000/own/image"})
    usual, own = _server(type_), _server(type_, shelf)
    assert own.image == f"registry.example.com:5000/own/image:{usual.image.rpartition(':')[2]}"
    (versioned,) = server(Resource("db", type_, version="9.1"), VERSIONS, Spot(KEY, "shop", shelf)).services
    assert versioned.image == "registry.example.com:5000/own/image:9.1"
