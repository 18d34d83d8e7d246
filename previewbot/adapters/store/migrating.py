"""Running migrations with alembic, which takes ten megabytes of memory: imported only where one is missing."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection


def migrate_to_newest(connection: Connection, migrations: Path) -> None:
    """Run what is missing in the transaction of a connection; ``ValueError`` for a schema that nobody here knows."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ValueError(str(error)) from error
