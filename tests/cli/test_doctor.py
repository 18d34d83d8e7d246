"""What the doctor says of BuildKit and the registry: that they work, or what to do."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.caddy import Caddy, RouteTable
from previewbot.adapters.github import AppDescription
from previewbot.cli.doctor import _FIXES, Finding, _guarded, _is_exposed, _judge, _room, examine
from previewbot.cli.manifest import read_manifest
from previewbot.core.errors import Transient
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


def _app(**different: Any) -> AppDescription:
    wanted = read_manifest()
    usual: dict[str, Any] = {
        "slug": "pb",
        "page": "https://github.example.com/apps/pb",
        "id": 7,
        "permissions": wanted["default_permissions"],
        "events": frozenset(wanted["default_events"]),
        "installations": 1,
        "clock_skew": timedelta(0),
    }
    return AppDescription(**(usual | different))


def test_an_app_that_is_as_it_should_be_has_no_findings() -> None:
    assert all(each.ok for each in (*_judge(_app()),))


@pytest.mark.parametrize(
    ("app", "name", "told"),
    [
        (_app(installations=0), "GitHub App", "https://github.example.com/apps/pb/installations/new"),
        (_app(permissions={"pull_requests": "read"}), "  permissions", "pull_requests: write"),
        (_app(events=frozenset({"push"})), "  events", "pull_request"),
        (_app(clock_skew=timedelta(seconds=-31)), "Clock", "31 s behind GitHub's"),
        (_app(clock_skew=timedelta(minutes=2)), "Clock", "120 s ahead of GitHub's"),
    ],
)
def test_what_an_app_lacks_is_told(app: AppDescription, name: str, told: str) -> None:
    (problem,) = [each for each in _judge(app) if not each.ok]
    assert problem.name == name
    assert told in f"{problem.detail} {problem.fix}"
    assert problem.fix


def test_a_disk_on_which_builds_soon_fail_is_a_finding(tmp_path: Path) -> None:
    assert _room(tmp_path, 3 * 1024**3).ok
    assert _room(tmp_path, 1024**3) == Finding(
        "Disk", ok=False, detail=f"1 GiB free for {tmp_path}", fix=_FIXES["Disk"]
    )


async def test_a_webhook_secret_that_others_may_read_is_a_finding(tmp_path: Path) -> None:
    for name in ("secret", "key"):
        (tmp_path / name).write_text("s3cret")
        (tmp_path / name).chmod(0o600)
    assert (await _examine(tmp_path))["Webhook secret"].ok
    (tmp_path / "secret").chmod(0o644)
    found = (await _examine(tmp_path))["Webhook secret"]
    assert (found.ok, found.fix) == (False, f"chmod 600 {tmp_path / 'secret'}")
    assert "s3cret" not in str(found)


async def test_the_database_is_looked_at_and_neither_made_nor_migrated(tmp_path: Path) -> None:
    found = (await _examine(tmp_path))["Database"]
    assert (found.ok, found.detail) == (True, "sqlite, still empty; the first start makes its tables, synchronous=FULL")
    assert not list(tmp_path.iterdir())
    file = tmp_path / "previewbot.db"
    with closing(sqlite3.connect(file)) as older, older:
        older.execute("CREATE TABLE alembic_version (version_num TEXT)")
        older.execute("INSERT INTO alembic_version VALUES ('0001')")
    before = file.read_bytes()
    found = (await _examine(tmp_path))["Database"]
    assert found.ok
    assert "schema 0001; the next start brings it to 00" in found.detail
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (before, [file])


async def test_a_database_of_a_newer_previewbot_is_a_finding(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "previewbot.db")) as newer, newer:
        newer.execute("CREATE TABLE alembic_version (version_num TEXT)")
        newer.execute("INSERT INTO alembic_version VALUES ('9999')")
    found = (await _examine(tmp_path))["Database"]
    assert not found.ok
    assert "it has schema 9999" in found.detail


async def test_whoever_may_not_enter_the_folder_is_told_as_whom_to_run_it(tmp_path: Path) -> None:
    async def enter(_: Settings) -> list[Finding]:
        raise PermissionError(13, "Permission denied", "/var/lib/previewbot")

    (found,) = await _guarded("Disk", enter, Settings.model_construct())
    assert (found.ok, found.detail) == (False, "/var/lib/previewbot: permission denied")
    assert "as the user that `previewbot serve` runs as" in found.fix


@pytest.mark.parametrize(
    "answer", [b"404 Not Found\r\nContent-Length: 0", b"200 OK\r\nContent-Length: 6\r\n\r\n<html>"]
)
async def test_a_server_that_is_no_caddy_does_not_pass_for_one(answer: bytes, tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + answer + (b"" if b"<" in answer else b"\r\n\r\n"))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        caddy = Caddy(f"http://127.0.0.1:{port}", table=RouteTable(tmp_path / "r"), listen=(":1",), ask="127.0.0.1:1")
        with pytest.raises(Transient, match="is not Caddy's admin API"):
            await caddy.check()
        await caddy.aclose()
