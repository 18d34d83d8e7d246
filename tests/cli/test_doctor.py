"""What the doctor says of BuildKit and the registry: that they work, or what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from previewbot.cli.doctor import Finding, _is_exposed, examine
from previewbot.settings import Settings
from tests.fixtures.buildkit import RunningBuildKit
from tests.fixtures.registry import LOGIN, GuardedRegistry, free_port, running_registry


async def _examine(folder: Path, **sections: Any) -> dict[str, Finding]:
    """What is found of a configuration for a cluster, without GitHub, the database and the disk."""
    github = {"app_id": 1, "private_key_file": folder / "key", "webhook_secret_files": [folder / "secret"]}
    settings = Settings(github=github, storage={"folder": folder}, instance="doctor", **sections)
    found = await examine(settings.model_copy(update={"runtime": "kubernetes"}))
    return {each.name: each for each in found}


def _login(folder: Path, mode: int = 0o600) -> dict[str, Any]:
    (folder / "password").write_text(LOGIN[1])
    (folder / "password").chmod(mode)
    return {"username": LOGIN[0], "password_file": folder / "password", "plain_http": True}


@pytest.mark.cluster
async def test_a_buildkit_and_a_registry_that_work_are_told_in_a_line_each(
    tmp_path: Path, buildctl: str, buildkit: RunningBuildKit, token_registry: GuardedRegistry
) -> None:
    found = await _examine(
        tmp_path,
        buildkit={"address": buildkit.address, "buildctl": buildctl},
        registry={"prefix": f"{token_registry.host}/previews", **_login(tmp_path)},
    )
    assert found["BuildKit"].ok
    assert found["BuildKit"].detail.startswith(f"BuildKit at {buildkit.address} for linux/")
    assert found["Registry"] == Finding(
        "Registry", ok=True, detail=f"{token_registry.host}/previews/doctor: pull, push and delete"
    )


@pytest.mark.cluster
async def test_a_right_that_is_missing_at_the_registry_is_named(
    tmp_path: Path, token_registry: GuardedRegistry
) -> None:
    for action, told in (("push", "the begin of a push"), ("delete", "a deletion")):
        token_registry.tokens.withheld.add(action)
        try:
            found = await _examine(tmp_path, registry={"prefix": token_registry.host, **_login(tmp_path)})
        finally:
            token_registry.tokens.withheld.clear()
        assert not found["Registry"].ok
        assert told in found["Registry"].detail
        assert "registry.username" in found["Registry"].fix


@pytest.mark.cluster
async def test_a_registry_that_keeps_everything_is_a_finding(tmp_path: Path) -> None:
    with running_registry(tmp_path / "keeping", deletes=False) as running:
        found = await _examine(tmp_path, registry={"prefix": f"{running.host}/x", "plain_http": True})
    assert not found["Registry"].ok
    assert "does not delete images, so they pile up in `x/doctor`" in found["Registry"].detail


@pytest.mark.cluster
async def test_a_password_that_others_may_read_is_a_finding(tmp_path: Path, token_registry: GuardedRegistry) -> None:
    found = await _examine(tmp_path, registry={"prefix": token_registry.host, **_login(tmp_path, 0o644)})
    assert found["Registry"].ok
    assert found["  login"].fix == f"chmod 600 {tmp_path / 'password'}"


async def test_what_is_away_or_not_configured_is_told_with_what_to_do(tmp_path: Path) -> None:
    found = await _examine(tmp_path, buildkit={"buildctl": "not-there"})
    assert "no `not-there` command" in found["BuildKit"].detail
    assert "Install buildctl" in found["BuildKit"].fix
    assert "registry.prefix is missing" in found["Registry"].detail
    found = await _examine(tmp_path, registry={"prefix": f"localhost:{free_port()}/x", "plain_http": True})
    assert "does not answer" in found["Registry"].detail
    assert not found["Registry"].ok


@pytest.mark.parametrize(
    ("mode", "owner", "group", "exposed"),
    [
        (0o400, "own", "own", False),
        (0o440, "own", "own", True),
        (0o440, "root's", "own", False),
        (0o460, "root's", "own", True),
        (0o444, "root's", "own", True),
        (0o440, "root's", "another", True),
    ],
)
def test_a_secret_is_read_by_previewbot_alone_in_a_pod_as_a_member_of_its_group(
    mode: int, owner: str, group: str, *, exposed: bool
) -> None:
    owners = {"own": os.geteuid(), "root's": os.geteuid() + 1}
    groups = {"own": os.getegid(), "another": max([*os.getgroups(), os.getegid()]) + 1}
    about = os.stat_result((mode, 0, 0, 1, owners[owner], groups[group], 1, 0, 0, 0))
    assert _is_exposed(about) == exposed
