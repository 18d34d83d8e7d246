"""Opening a database: its schema, its lock, and what a damaged or foreign one is answered."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from previewbot.adapters.store import migrate, migrations, open_store
from previewbot.adapters.store.opening import opened
from previewbot.adapters.store.tables import metadata
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Ask, Command
from previewbot.ports import Delivery

NOW = datetime(2031, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)

ACCEPTING = """
import asyncio, sys
from datetime import UTC, datetime
from previewbot.adapters.store import open_store
from previewbot.core.ids import Key
from previewbot.ports import Delivery

async def accept(store, lane):
    for number in range(10**6):
        name = f"{lane}-{number}"
        assert await store.accept(Delivery(name, "push", datetime.now(UTC)), [Key(lane + 1, number + 1)], ())
        print(name, flush=True)

async def main():
    async with open_store(sys.argv[1]) as store:
        await store.add([Key(10**6, 1)], datetime(2000, 1, 1, tzinfo=UTC))
        assert await store.lease(datetime.now(UTC))
        await asyncio.gather(*(accept(store, lane) for lane in range(8)))

asyncio.run(main())
"""


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def file_of(url: str) -> Path:
    return Path(url.partition("///")[2])


async def test_the_migrations_make_exactly_the_tables(database_url: str) -> None:
    async with opened(database_url, exclusive=False) as database:
        assert await database.read(differences) == []


async def test_migrating_twice_is_migrating_once_and_keeps_what_is_there(database_url: str) -> None:
    await migrate(database_url)
    async with open_store(database_url) as store:
        await store.add([Key(1, 1)], NOW)
    await migrate(database_url)
    async with open_store(database_url) as store:
        assert await store.next_due() == NOW


async def test_a_database_that_is_up_to_date_is_opened_without_what_migrates(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    opening = "import asyncio, sys; from previewbot.adapters.store import describe; "
    opening += "print(asyncio.run(describe(sys.argv[1]))); sys.exit('alembic' in sys.modules)"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", opening, sqlite_url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    newest = ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()
    assert f"schema {newest}" in done.stdout


async def test_a_schema_of_the_future_is_refused(database_url: str) -> None:
    async with opened(database_url, exclusive=False) as database:
        future = text("UPDATE alembic_version SET version_num = '9999'")
        await database.write(lambda connection: connection.execute(future))
    with pytest.raises(Refused, match="another version of previewbot"):
        await migrate(database_url)


async def test_a_second_previewbot_is_refused_while_the_first_one_works(sqlite_url: str) -> None:
    async with open_store(sqlite_url):
        with pytest.raises(Refused, match="another previewbot works with"):
            await migrate(sqlite_url)
        async with open_store(sqlite_url, exclusive=False) as beside:
            assert await beside.check()
    await migrate(sqlite_url)


async def test_deliveries_and_leases_survive_a_kill(sqlite_url: str) -> None:
    """Every delivery that was acknowledged is on disk, and the topic that the dead process held is due again."""
    child = subprocess.Popen([sys.executable, "-c", ACCEPTING, sqlite_url], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout
        names = [child.stdout.readline().strip() for _ in range(400)]
        child.send_signal(signal.SIGKILL)
        whole, _, _ = child.stdout.read().rpartition("\n")  # a last line may be half written
    names += whole.split()
    assert child.returncode == -signal.SIGKILL
    async with open_store(sqlite_url) as store:
        assert [name for name in names if await store.accept(Delivery(name, "push", NOW), (), ())] == []
        lease = await store.lease(NOW)
        assert lease is not None
        assert lease.topic == Key(10**6, 1)
        assert await store.depth(NOW) >= len(names)


async def test_a_file_that_is_no_database_is_refused(sqlite_url: str) -> None:
    file_of(sqlite_url).write_bytes(b"not a database, but long enough to look like one " * 100)
    with pytest.raises(Refused, match="cannot be used"):
        await migrate(sqlite_url)


async def test_a_damaged_database_is_refused(sqlite_url: str) -> None:
    async with open_store(sqlite_url) as store:
        await store.add([Key(1, number + 1) for number in range(2000)], NOW)
    file = file_of(sqlite_url)
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size // 2)
        raw.write(os.urandom(20_000))
    with pytest.raises(Refused, match="the database"):
        await migrate(sqlite_url)


@pytest.mark.parametrize(
    ("url", "sign"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://127.0.0.1/x", "does not know databases"),
        ("sqlite:////proc/1/nowhere/x.db", "cannot be written"),
    ],
)
async def test_a_database_that_nobody_can_use_is_refused_with_the_reason(url: str, sign: str) -> None:
    with pytest.raises(Refused, match=sign):
        await migrate(url)


async def test_a_folder_in_the_place_of_the_database_is_refused(sqlite_url: str) -> None:
    file_of(sqlite_url).mkdir()
    with pytest.raises(Refused, match="cannot be used"):
        await migrate(sqlite_url)


async def test_a_server_that_does_not_answer_is_transient_and_its_password_stays_secret() -> None:
    with pytest.raises(Transient) as raised:
        await migrate("postgresql://ann:hidden-word@127.0.0.1:1/x")
    assert "hidden-word" not in str(raised.value)


async def test_a_database_that_is_locked_for_long_is_transient(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("previewbot.adapters.store.database._BUSY", "PRAGMA busy_timeout = 50")
    async with open_store(sqlite_url) as store:
        with closing(sqlite3.connect(file_of(sqlite_url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Transient, match="locked"):
                await store.add([Key(1, 1)], NOW)
            with pytest.raises(Transient, match="locked"):
                await store.accept(Delivery("d", "push", NOW), [Key(1, 1)], ())
            assert await store.next_due() is None
            other.execute("ROLLBACK")
        assert await store.accept(Delivery("d", "push", NOW), [Key(1, 1)], ())


async def test_a_full_disk_is_transient_and_leaves_nothing_behind(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(sqlite_url)
    with closing(sqlite3.connect(file_of(sqlite_url))) as plain:
        (pages,) = plain.execute("PRAGMA page_count").fetchone()
    with monkeypatch.context() as patch:
        patch.setattr("previewbot.adapters.store.database._BUSY", f"PRAGMA max_page_count = {pages + 4}")
        async with open_store(sqlite_url) as store:
            topics = [Key(1, number + 1) for number in range(2000)]
            with pytest.raises(Transient, match="full"):
                await store.add(topics, NOW)
            with pytest.raises(Transient, match="full"):
                await store.accept(Delivery("d", "push", NOW), topics, ())
            assert await store.next_due() is None
            assert await store.accept(Delivery("d", "push", NOW), [Key(1, 1)], ())
    async with open_store(sqlite_url) as store:
        await store.add([Key(1, number + 1) for number in range(2000)], NOW)
        assert await store.depth(NOW) == 2000


@pytest.mark.postgres
async def test_a_lost_connection_is_transient_once(postgres_url: str) -> None:
    async with opened(postgres_url, exclusive=False) as database:
        with pytest.raises(Transient):
            await database.write(lambda it: it.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")))
        assert await database.read(lambda it: it.scalar(text("SELECT 1"))) == 1


async def test_a_killed_lease_is_the_only_thing_that_opening_changes(sqlite_url: str) -> None:
    async with open_store(sqlite_url, lease=timedelta(hours=1)) as store:
        await store.add([Key(1, 1)], NOW)
        first = await store.lease(NOW)
    async with open_store(sqlite_url) as store:
        second = await store.lease(NOW)
    assert first is not None
    assert second is not None
    assert (second.topic, second.touched_at, second.attempt) == (first.topic, first.touched_at, 1)
    assert second.token != first.token


@pytest.mark.parametrize("exclusive", [False, True])
async def test_nobody_else_can_read_the_database(tmp_path: Path, exclusive: bool) -> None:
    folder = tmp_path / "state"
    async with open_store(f"sqlite:///{folder / 'x.db'}", exclusive=exclusive) as store:
        await store.add([Key(1, 1)], NOW)
        modes = {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}
    names = ["x.db", "x.db-shm", "x.db-wal", *(["x.db.lock"] if exclusive else [])]
    assert modes == dict.fromkeys(names, 0o600)
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_database_of_the_first_schema_is_brought_to_the_newest_with_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    async with open_store(f"sqlite:///{file}"):
        pass
    with closing(sqlite3.connect(file)) as old:
        old.execute("ALTER TABLE asks DROP COLUMN argument")
        old.execute("UPDATE alembic_version SET version_num = '0001'")
        old.execute("INSERT INTO asks VALUES (7, 'pr-1-1', 'ann', 'redeploy', 'new')")
        old.commit()
    async with open_store(f"sqlite:///{file}") as store:
        assert await store.asks(Key(1, 1)) == (Ask(7, Key(1, 1), "ann", Command.REDEPLOY),)


@pytest.mark.postgres
async def test_processes_that_start_together_migrate_once(postgres_url: str) -> None:
    await asyncio.gather(*(migrate(postgres_url) for _ in range(4)))
    async with open_store(postgres_url) as store:
        assert "schema 0002" in await store.check()
