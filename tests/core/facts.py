"""Ready-made facts, each a plain case that a test varies with ``dataclasses.replace``."""

from __future__ import annotations

from datetime import UTC, datetime

from previewbot.core.blueprint import Blueprint, Build, Service
from previewbot.core.ids import Key
from previewbot.core.model import Person, PullRequest, Repository

NOW = datetime(2026, 11, 23, 14, 3, 12, tzinfo=UTC)
KEY = Key(7, 42)
COMMIT = "3f9c2e1" + "0" * 33
OLDER = "a81d0c4" + "0" * 33
REPOSITORY = Repository(7, "acme/shop", 1, "http://github.test/acme/shop.git")
PULL = PullRequest(
    key=KEY,
    repository=REPOSITORY,
    title="A change",
    author=Person("alice"),
    is_open=True,
    is_merged=False,
    is_draft=False,
    labels=frozenset(),
    base_branch="main",
    head_branch="change",
    head_commit=COMMIT,
    head_repository=7,
    head_full_name="acme/shop",
)
WEB = Service("web", build=Build(), port=8080, public=True)
API = Service("api", build=Build("api"), port=9000)
BLUEPRINT = Blueprint("shop", (WEB, API))
