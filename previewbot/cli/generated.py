"""Who says that a secret of an app is made by previewbot: such a one is not set, and a command says so."""

# Heavy things are imported where they are needed, so that `--help` answers at once.
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from previewbot.cli.console import parse_file

if TYPE_CHECKING:
    from previewbot.settings import Settings

ANOTHER = "For another one, close the pull request and reopen it; to set it yourself, take `generate` out first."
"""What to do about one that is made."""


def in_blueprint(file: Path, app: str, name: str) -> str | None:
    """The words of the app's blueprint that say so; ``None`` where there is no such blueprint, or it does not."""
    from previewbot.core.blueprint import Blueprint

    try:
        found = parse_file(file)
    except OSError:
        return None
    if not isinstance(found, Blueprint) or found.app != app:
        return None
    lengths = [each.generate for each in found.secrets if each.name == name and each.generate]
    return f"{file} says `generate: {lengths[0]}`: each environment gets one of its own." if lengths else None


def in_previews(settings: Settings, app: str, name: str) -> str | None:
    """A preview for which one was made, where the database is at hand and tells of any."""
    from previewbot.core.errors import Refused, Transient

    folder = settings.storage.folder.absolute()
    if not settings.storage.database_url and not (folder / "previewbot.db").exists():
        return None
    try:
        return asyncio.run(_look(settings, app, name))
    except (Refused, Transient):
        return None


async def _look(settings: Settings, app: str, name: str) -> str | None:
    from previewbot.adapters.store import open_store
    from previewbot.core.model import ReleaseState
    from previewbot.core.secrets import SHARED, SecretName

    wanted = SecretName(SHARED, name)
    async with open_store(settings.database_url, exclusive=False) as store:
        for record in [each for each in await store.records() if each.app == app]:
            served = [each for each in await store.releases(record.key) if each.state is ReleaseState.SERVING]
            if any(seal.own and seal.name == wanted for each in served for seal in each.seals):
                return f"{record.repository_name}#{record.key.number} runs with one that was made for it alone."
    return None
