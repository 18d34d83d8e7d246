"""The tables: queried facts in columns, everything else of a row as JSON beside them. Knows no statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Write a time as ``Moment`` does; one without a zone is a bug and raises ``TypeError``."""
    return (moment - _EPOCH) // _MICROSECOND


class Moment(TypeDecorator[datetime]):
    """A time in UTC as whole microseconds since 1970: exact, sortable, and the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Write a time."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read a time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String, primary_key=True),
    Column("event", String, nullable=False),
    Column("received_at", Moment, nullable=False, index=True),
)

queue = Table(
    "queue",
    metadata,
    Column("topic", String, primary_key=True),
    Column("due", Moment, nullable=False, index=True),
    Column("touched_at", Moment, nullable=False),  # the oldest wake-up that no pass has served
    Column("again_at", Moment),  # the oldest wake-up since the lease began
    Column("generation", BigInteger, nullable=False),  # one more with every wake-up
    Column("failures", Integer, nullable=False),
    Column("token", String),
    Column("leased_until", Moment),
)

asks = Table(
    "asks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String, nullable=False, index=True),
    Column("login", String, nullable=False),
    Column("command", String, nullable=False),
    Column("argument", String, nullable=False, server_default=""),
    Column("state", String, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("key", String, primary_key=True),
    Column("repository", BigInteger, nullable=False, index=True),
    Column("newest_at", Moment),  # what lists are sorted by
    Column("body", Text, nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("host", String, primary_key=True),
    Column("key", String, nullable=False, index=True),
)

builds = Table(
    "builds",
    metadata,
    Column("log", String, primary_key=True),
    Column("image", String, nullable=False),
    Column("key", String, nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "image", "started_at"),
)

releases = Table(
    "releases",
    metadata,
    Column("key", String, primary_key=True),
    Column("revision", String, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("image", String, primary_key=True),
    Column("wanted_at", Moment, nullable=False, index=True),
)
