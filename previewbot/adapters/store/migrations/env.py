"""What alembic runs: the steps on the connection that ``opening`` hands over, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from previewbot.adapters.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
