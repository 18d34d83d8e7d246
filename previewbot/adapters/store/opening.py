"""Opening a database: its schema brought up to date, and (SQLite) held by one previewbot at a time."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from previewbot.adapters.store.database import Database
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 0x70726576  # the number of the PostgreSQL lock that two processes queue at


def parse(url: str) -> URL:
    """Read a database URL and name the driver in it; what previewbot cannot use is ``Refused``."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _refused("the database URL cannot be read; it looks like `postgresql+psycopg://…`") from None
    drivername = _DRIVERS.get(parsed.drivername, parsed.drivername)
    if drivername not in _DRIVERS.values():
        raise _refused(f"previewbot does not know databases of the kind `{parsed.drivername}`")
    return parsed.set(drivername=drivername)


@asynccontextmanager
async def opened(url: str, *, exclusive: bool) -> AsyncIterator[Database]:
    """Give an up-to-date database for as long as the context lasts.

    Raises ``Refused`` where another previewbot holds it, or where it is no database of ours, and ``Transient`` where
    it does not answer.
    """
    parsed = parse(url)
    file = _file(parsed)
    if file is not None:
        _make(file)
    with _held(file if exclusive else None):
        if file is not None:
            await asyncio.to_thread(_examine, file)
        try:
            database = Database(parsed)
        except ModuleNotFoundError:
            raise _refused("PostgreSQL needs its driver: install `previewbot[postgres]`") from None
        try:
            await database.write(upgrade)
            yield database
        finally:
            await database.close()


async def migrate(url: str) -> None:
    """Bring the schema of a database up to date; the same errors as ``open_store``."""
    async with opened(url, exclusive=True):
        pass


async def look(url: str) -> str:
    """Describe a database in a line and leave it exactly as it is: nothing is made, and no migration runs.

    The same errors as ``open_store``, but for one that another previewbot holds.
    """
    parsed = parse(url)
    described = f"{parsed.get_backend_name()}, {_of(await _schema_at(parsed))}"
    return f"{described}, synchronous=FULL" if _file(parsed) else described


async def is_newest(url: str) -> bool:
    """Whether no migration is missing, without making anything; the same errors as ``look``."""
    return await _schema_at(parse(url)) == _newest()


async def _schema_at(url: URL) -> str | None:
    file = _file(url)
    if file is not None:
        return await asyncio.to_thread(_read_schema, file)
    database = Database(url)
    try:
        return await database.read(_schema)
    finally:
        await database.close()


def _read_schema(file: Path) -> str | None:
    """The schema of a SQLite file; where nobody has it open, reading it must not even make SQLite's own files."""
    if not file.exists():
        if not os.access(_nearest(file.parent), os.W_OK | os.X_OK):
            raise _refused(f"{_nearest(file.parent)} cannot be written, so {file} cannot be made")
        return None
    how = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True, timeout=10)) as connection:
            named = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if named else None
    except sqlite3.DatabaseError as error:
        raise _refused(f"the database {file} cannot be used: {error}") from error
    return str(row[0]) if row else None


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def _schema(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _of(schema: str | None) -> str:
    """What a schema is to this version of previewbot."""
    newest = _newest()
    if schema is None:
        return "still empty; the first start makes its tables"
    if schema > newest:
        raise _refused(f"the database belongs to another version of previewbot: it has schema {schema}, not {newest}")
    return f"schema {schema}" if schema == newest else f"schema {schema}; the next start brings it to {newest}"


def upgrade(connection: Connection) -> None:
    """Run the missing migrations in the transaction of a connection."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
    if inspect(connection).has_table("alembic_version"):
        schema = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if schema == _newest():
            return
    from previewbot.adapters.store.migrating import migrate_to_newest  # noqa: PLC0415 - most starts need none of it

    try:
        migrate_to_newest(connection, _MIGRATIONS)
    except ValueError as error:
        raise _refused(f"the database belongs to another version of previewbot: {error}") from error


def _newest() -> str:
    """The number of the newest migration, as its file is named: ``v0002_arguments.py`` is ``0002``."""
    return max(each.name[1:5] for each in (_MIGRATIONS / "versions").glob("v[0-9]*_*.py"))


def _examine(file: Path) -> None:
    """Refuse a file that is damaged or no database, before anything is written to it."""
    try:
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise Transient(f"the database is unwell: {error}") from error
        raise _refused(f"the database {file} cannot be used: {error}") from error
    if said != "ok":
        raise _refused(f"the database {file} is damaged: {said}")


def _file(url: URL) -> Path | None:
    """The file of a SQLite database."""
    in_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if in_file else None


def _make(file: Path) -> None:
    """Make the file of a new SQLite database for its owner alone; SQLite itself would let others read it."""
    if file.exists():
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise _unwritable(error) from error


@contextmanager
def _held(file: Path | None) -> Iterator[None]:
    """Hold a SQLite file: the operating system lets go of the lock however this process ends."""
    if file is None:
        yield
        return
    try:
        handle = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refused(f"another previewbot works with {file}; stop it first") from None
        yield
    finally:
        os.close(handle)


def _unwritable(error: OSError) -> Refused:
    return _refused(f"the folder of the database cannot be written: {error}")


def _refused(message: str) -> Refused:
    return Refused(Reason.INTERNAL, message)
