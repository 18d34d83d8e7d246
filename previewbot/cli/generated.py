"""Secrets that previewbot makes, one for each environment: who says that one is, and making another one."""

# Heavy things are imported where they are needed, so that `--help` answers at once.
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from previewbot.cli.console import parse_file
from previewbot.core.errors import Refused, Transient

if TYPE_CHECKING:
    from previewbot.core.secrets import SecretName
    from previewbot.ports import Secrets
    from previewbot.settings import Settings

ANOTHER = (
    "For another one: previewbot secrets rotate APP NAME --environment OWNER/REPO#NUMBER; "
    "to set it yourself, take `generate` out first."
)
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


async def renew(settings: Settings, secrets: Secrets, app: str, name: SecretName, *, environment: str) -> None:
    """Make another secret for one environment, as long as the last; ``Refused`` where none was made for it."""
    from previewbot.adapters.store import open_store
    from previewbot.cli import environments
    from previewbot.core.secrets import Scope
    from previewbot.engine import vault

    async with open_store(settings.database_url, exclusive=False) as store:
        record = await environments.find(store, environment)
    if record.app != app:
        raise Refused("environment", f"{environment} is of {record.app or 'no app yet'}, not of {app}.")
    own = Scope.own(record.key)
    last = (await secrets.values(own, {name})).get(name)
    if last is None:
        raise Refused("secret", f"No {name.name} was made for {environment}: its blueprint has no `generate` for it.")
    await secrets.put(own, name, vault.generate(len(last.text)))
