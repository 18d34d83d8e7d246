"""A manifest that asks for events without the permissions behind them is refused before any App is made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from previewbot.cli.manifest import read_manifest
from tests.fixtures.github import Asker

UNBACKED = "Default events are not supported by permissions"


async def shown(ask: Asker, **changes: Any) -> tuple[int, str]:
    manifest = {**read_manifest(), **changes}
    answer = await ask.client.post("/organizations/acme/settings/apps/new", data={"manifest": json.dumps(manifest)})
    return answer.status_code, answer.text


def without(*names: str) -> dict[str, str]:
    return {name: level for name, level in read_manifest()["default_permissions"].items() if name not in names}


async def test_our_own_is_taken(ask: Asker) -> None:
    status, page = await shown(ask)
    assert status == 200
    assert "Create GitHub App" in page


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (("issues",), f"{UNBACKED}: issue_comment<"),
        (("pull_requests",), f"{UNBACKED}: pull_request<"),
        (("contents",), f"{UNBACKED}: push<"),
        (("issues", "contents"), f"{UNBACKED}: issue_comment and push<"),
        (("issues", "contents", "pull_requests"), f"{UNBACKED}: issue_comment, pull_request, and push<"),
    ],
)
async def test_an_event_needs_its_permission(ask: Asker, lacking: tuple[str, ...], said: str) -> None:
    status, page = await shown(ask, default_permissions=without(*lacking))
    assert status == 422
    assert "Invalid GitHub App configuration" in page
    assert f"Error {said}" in page


async def test_what_comes_by_itself_cannot_be_asked_for(ask: Asker) -> None:
    status, page = await shown(ask, default_events=["push", "installation"])
    assert status == 422
    assert "Error Default events unsupported: installation<" in page
    assert f"Error {UNBACKED}: installation<" in page
