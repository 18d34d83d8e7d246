"""Migrating in a process of its own: what a process has imported, it holds for good, and a migration comes once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress

from previewbot.adapters.store.opening import is_newest
from previewbot.core.errors import Refused, Transient

_MIGRATE = "import asyncio, sys; from previewbot.adapters.store import migrate; asyncio.run(migrate(sys.stdin.read()))"


async def migrate_apart(url: str) -> None:
    """Bring the schema of a database up to date without importing what does it.

    Whatever goes wrong here raises nothing: ``open_store`` comes to the same place, and says what it is.
    """
    with suppress(Refused, Transient, OSError, ModuleNotFoundError):
        if not await is_newest(url):
            await asyncio.to_thread(_migrate, url)


def _migrate(url: str) -> None:
    path = os.pathsep.join(filter(None, sys.path))  # the same previewbot as here, wherever that came from
    subprocess.run(
        [sys.executable, "-c", _MIGRATE],
        input=url.encode(),  # it may hold a password
        env=os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
