"""Where the App is installed: repository ids to their present names. One glitch never makes a repository vanish."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx
from pydantic import TypeAdapter

from previewbot.adapters.github.client import Client, Request
from previewbot.adapters.github.shapes import Installation, Repositories
from previewbot.adapters.github.tokens import InstallationGone, Tokens
from previewbot.core.errors import Transient
from previewbot.core.model import Repository
from previewbot.ports import Clock

_TRUSTED_FOR = timedelta(seconds=60)
"""How long an entry is believed without asking again whether the App is still installed there."""
_INSTALLATIONS = TypeAdapter(list[Installation])
_INSTALLATION = TypeAdapter(Installation)
_REPOSITORIES = TypeAdapter(Repositories)
_LISTING = "installation/repositories"
_MOVED = (301, 302, 307, 308)


class Directory:
    """A cache of every repository of every installation that is not suspended; listed by one caller at a time."""

    def __init__(self, client: Client, tokens: Tokens, *, clock: Clock) -> None:
        """Lists nothing until somebody asks."""
        self._client = client
        self._tokens = tokens
        self._clock = clock
        self._entries: dict[int, Repository] = {}
        self._seen_at: dict[int, datetime] = {}
        self._names: dict[int, str] = {}
        self._lock = asyncio.Lock()
        self._listings = 0

    def known(self, repository: Repository) -> Repository:
        """Give the newest that is known of a repository, without asking."""
        return self._entries.get(repository.id, repository)

    async def find(self, id: int) -> Repository | None:
        """Find a repository; ``None`` only if a listing lacks it and GitHub confirms that by another answer."""
        entry = self._entries.get(id)
        if entry is not None and await self._still_there(entry):
            return entry
        entry = await self._listed(id)
        if entry is not None:
            return entry
        name = self._names.get(id)
        if name is None:
            return await self._listed(id)
        if await self._installed(name) is not None:
            raise Transient(f"GitHub lists repository {id} no longer, but says that the App is installed there")
        return None

    async def all(self) -> Sequence[Repository]:
        """List every repository anew."""
        await self._list(self._listings)
        return tuple(self._entries.values())

    async def locate(self, repository: Repository) -> Repository | None:
        """Find a repository again after GitHub did not know it by its name; ``None`` as in ``find``."""
        self._names.setdefault(repository.id, repository.full_name)
        self.distrust(repository.id)
        return await self.find(repository.id)

    def distrust(self, id: int) -> None:
        """Ask again about a repository before it is believed in."""
        self._seen_at.pop(id, None)

    async def _still_there(self, entry: Repository) -> bool:
        seen = self._seen_at.get(entry.id)
        if seen is not None and self._clock.now() - seen < _TRUSTED_FOR:
            return True
        if await self._installed(entry.full_name) != entry.installation:
            return False
        self._seen_at[entry.id] = self._clock.now()
        return True

    async def _installed(self, name: str) -> int | None:
        """Ask which installation opens a repository of this name; a new name and a suspended one count as none."""
        request = Request("GET", f"repos/{name}/installation")
        answer = await self._tokens.as_app(request, allow=(httpx.codes.NOT_FOUND, *_MOVED))
        if not answer.response.is_success:
            return None
        found = answer.read(_INSTALLATION)
        return None if found.suspended_at else found.id

    async def _listed(self, id: int) -> Repository | None:
        await self._list(self._listings)
        return self._entries.get(id)

    async def _list(self, seen: int) -> None:
        """List everything, unless somebody finished doing so since ``seen`` was read."""
        async with self._lock:
            if self._listings != seen:
                return
            found = await asyncio.gather(*[self._of(each) for each in await self._installations()])
            entries = {entry.id: entry for part in found for entry in part}
            now = self._clock.now()
            self._entries = entries
            self._seen_at = dict.fromkeys(entries, now)
            self._names |= {entry.id: entry.full_name for entry in entries.values()}
            self._listings += 1

    async def _installations(self) -> list[int]:
        found: list[Installation] = []
        query = {"per_page": "100"}
        while True:
            answer = await self._tokens.as_app(Request("GET", "app/installations", query))
            page = answer.read(_INSTALLATIONS)
            found += page
            if not answer.next:
                return [each.id for each in found if not each.suspended_at]
            query = dict(answer.next)

    async def _of(self, installation: int) -> list[Repository]:
        found: list[Repository] = []
        query = {"per_page": "100"}
        while True:
            try:
                answer = await self._tokens.as_installation(installation, Request("GET", _LISTING, query))
            except InstallationGone:
                return []
            page = self._client.check(answer).read(_REPOSITORIES)
            found += [Repository(each.id, each.full_name, installation, each.clone_url) for each in page.repositories]
            if not answer.next:
                return found
            query = dict(answer.next)
