"""Migrating in a process of its own: done there, and whatever fails there is met again where it can be told."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from previewbot.adapters.store import migrate_apart, open_store
from previewbot.adapters.store.opening import is_newest
from previewbot.core.errors import Refused

APART = """
import asyncio, json, sys
from previewbot.adapters.store import migrate_apart
asyncio.run(migrate_apart(sys.argv[1]))
print(json.dumps("alembic" in sys.modules))
"""


async def test_the_schema_is_the_newest_and_nothing_that_migrates_is_loaded(database_url: str) -> None:
    command = [sys.executable, "-c", APART, database_url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False
    assert await is_newest(database_url)
    async with open_store(database_url) as store:
        assert "schema" in await store.check()


async def test_a_process_is_started_only_where_a_migration_is_missing(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, started = tmp_path / "python", tmp_path / "started"
    python.write_text(f"#!/bin/sh\ntouch {started}\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    await migrate_apart(sqlite_url)
    assert started.exists()
    started.unlink()
    async with open_store(sqlite_url):
        pass
    await migrate_apart(sqlite_url)
    assert not started.exists()


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python"])
async def test_where_no_process_can_do_it_opening_does(
    sqlite_url: str, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    await migrate_apart(sqlite_url)
    assert not await is_newest(sqlite_url)
    async with open_store(sqlite_url) as store:
        assert "schema" in await store.check()
    assert await is_newest(sqlite_url)


async def test_what_cannot_be_migrated_is_told_by_opening(sqlite_url: str) -> None:
    Path(sqlite_url.partition("///")[2]).write_bytes(b"not a database, but long enough to look like one " * 100)
    await migrate_apart(sqlite_url)
    with pytest.raises(Refused, match="cannot be used"):
        async with open_store(sqlite_url):
            pass
