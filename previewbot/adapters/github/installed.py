"""Requests about one repository, sent as its installation; they survive a rename and a transfer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import timedelta
from typing import Any

import httpx
from pydantic import TypeAdapter

from previewbot.adapters.github.allowances import Allowances
from previewbot.adapters.github.budget import Budget
from previewbot.adapters.github.client import Answer, Client, Request
from previewbot.adapters.github.credentials import AppCredentials, AppDescription
from previewbot.adapters.github.directory import Directory
from previewbot.adapters.github.shapes import AppShape
from previewbot.adapters.github.tokens import InstallationGone, Tokens
from previewbot.adapters.github.weather import date_of, is_rate_limit, retry_after
from previewbot.core.errors import Throttled
from previewbot.core.model import Repository
from previewbot.ports import Allowance, Clock, Credential

_APP = TypeAdapter(AppShape)


class Installed:
    """Sends to ``/repos/{owner}/{name}/…`` under whatever name and installation a repository has now."""

    def __init__(
        self, credentials: AppCredentials, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Opens nothing until the first request."""
        self.app_id = credentials.app_id
        self._clock = clock
        self._client = Client(credentials.api_url, clock=clock, transport=transport)
        self._tokens = Tokens(credentials, client=self._client, clock=clock)
        self._budget = Budget()
        self._allowances = Allowances()
        self._slug: str | None = None
        self.directory = Directory(self._client, self._tokens, clock=clock)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def credential(self, repository: Repository) -> Credential:
        """Give what opens a repository over HTTP for ten more minutes."""
        entry = self.directory.known(repository)
        try:
            return Credential(await self._tokens.of(entry.installation))
        except InstallationGone:
            self.directory.distrust(entry.id)
            raise

    def afford(self, repository: Repository, path: str, *, final: bool) -> bool:
        """Count one content write; ``False`` holds back what is not final.

        What is final and has to wait is ``Throttled``, and finds its place in the line kept when it comes back.
        """
        wait = self._budget.take(self._clock.now(), final=final, place=(repository.id, path))
        if wait and final:
            raise Throttled("the budget of content writes is used up", retry_after=wait)
        return not wait

    def allowance(self) -> Allowance:
        """Say what is left of GitHub's limits."""
        now = self._clock.now()
        return Allowance(self._allowances.scarcest(now), self._budget.left(now))

    async def call(
        self,
        repository: Repository,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        allow: Collection[int] = (),
    ) -> Answer:
        """Send a request about a repository; raise for a status that is neither a success nor in ``allow``."""
        return await self._settled(repository, Request(method, path, body=body), allow)

    async def listing(self, repository: Repository, path: str, **params: str) -> AsyncIterator[Answer]:
        """Walk through the pages of a listing."""
        query: Mapping[str, str] = {"per_page": "100", **params}
        while True:
            answer = await self._settled(repository, Request("GET", path, query), ())
            yield answer
            if not answer.next:
                return
            query = answer.next

    async def as_app(self, request: Request, *, allow: tuple[int, ...] = ()) -> Answer:
        """Send a request as the App itself."""
        return await self._tokens.as_app(request, allow=allow)

    async def slug(self) -> str:
        """Say what the App is called in the logins of its bot; asked for once."""
        if self._slug is None:
            self._slug = (await self.as_app(Request("GET", "app"))).read(_APP).slug
        return self._slug

    async def describe(self) -> AppDescription:
        """Read what GitHub says of the App, and of the time."""
        began = self._clock.now()
        answer = await self.as_app(Request("GET", "app"))
        here = began + (self._clock.now() - began) / 2
        app = answer.read(_APP)
        there = date_of(answer.response.headers)
        skew = here - there if there else timedelta(0)
        return AppDescription(
            app.slug, app.html_url, app.id, app.permissions, frozenset(app.events), app.installations_count, skew
        )

    async def _settled(self, repository: Repository, request: Request, allow: Collection[int]) -> Answer:
        entry = self.directory.known(repository)
        answer = await self._send(entry, request)
        if answer.response.is_redirect or answer.status == httpx.codes.NOT_FOUND:
            found = await self.directory.locate(entry)
            # The same name again: one 404 could be a glitch, and whoever reads a 404 may tear something down.
            if found is not None and (found != entry or request.method == "GET"):
                answer = await self._send(found, request)
        if request.method != "GET" and is_rate_limit(answer.response):
            now = self._clock.now()
            self._budget.close(now + retry_after(answer.response.headers, now))
        return self._client.check(answer, allow)

    async def _send(self, entry: Repository, request: Request) -> Answer:
        whole = Request(request.method, f"repos/{entry.full_name}/{request.path}", request.params, request.body)
        try:
            answer = await self._tokens.as_installation(entry.installation, whole)
        except InstallationGone:
            self.directory.distrust(entry.id)
            raise
        self._allowances.note(entry.installation, answer.response.headers)
        return answer
