"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make every table."""
    _inbox_and_queue()
    _records()
    _history()


def _inbox_and_queue() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_received_at", "deliveries", ["received_at"])
    op.create_table(
        "queue",
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
        sa.Column("again_at", sa.BigInteger),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("token", sa.String),
        sa.Column("leased_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("topic", name="pk_queue"),
    )
    op.create_index("ix_queue_due", "queue", ["due"])


def _records() -> None:
    op.create_table(
        "asks",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("login", sa.String, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asks"),
    )
    op.create_index("ix_asks_key", "asks", ["key"])
    op.create_table(
        "records",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("repository", sa.BigInteger, nullable=False),
        sa.Column("newest_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_records"),
    )
    op.create_index("ix_records_repository", "records", ["repository"])
    op.create_table(
        "hosts",
        sa.Column("host", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_hosts"),
    )
    op.create_index("ix_hosts_key", "hosts", ["key"])


def _history() -> None:
    op.create_table(
        "builds",
        sa.Column("log", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("log", name="pk_builds"),
    )
    op.create_index("ix_builds_key", "builds", ["key"])
    op.create_index("ix_builds_image_started_at", "builds", ["image", "started_at"])
    op.create_table(
        "releases",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("revision", sa.String, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", "revision", name="pk_releases"),
    )
    op.create_table(
        "images",
        sa.Column("image", sa.String, nullable=False),
        sa.Column("wanted_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("image", name="pk_images"),
    )
    op.create_index("ix_images_wanted_at", "images", ["wanted_at"])
