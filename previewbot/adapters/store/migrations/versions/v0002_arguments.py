"""What a command in a comment is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Give asks an argument; those that are there have none."""
    op.add_column("asks", sa.Column("argument", sa.String, nullable=False, server_default=""))
