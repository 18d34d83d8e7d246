"""Who may ask what: every request to the API comes through here, and every answer leaves through here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from previewbot.demo.github.api import proof
from previewbot.demo.github.api.answers import Problem, bearer
from previewbot.demo.github.state import Repository

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

_AN_HOUR = 5000
"""Requests of an installation; the simulation never refuses any."""
_RANK = {"read": 1, "write": 2, "admin": 3}

Answer = Callable[[Request], Awaitable[Response]]
InRepository = Callable[[Request, Repository], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something that can be asked about a repository; ``path`` begins after its name."""

    method: str
    path: str
    handler: InRepository
    needs: tuple[str, ...]
    """Permissions, each as ``name=level``, of which one is enough."""


class Gate:
    """Puts the checks that GitHub makes before a handler."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._github = github
        self._state = github.state

    def open(self, handler: Answer) -> Answer:
        """Let everybody in."""

        async def endpoint(request: Request) -> Response:
            self._github.requests.append((request.method, request.url.path))

            async def answer() -> Response:
                try:
                    return await handler(request)
                except Problem as problem:
                    return problem.answer

            made = await self._github.faults.apply(request, answer)
            made.headers.setdefault("Date", self._state.now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
            made.headers.setdefault("X-GitHub-Request-Id", "SIMULATED")
            if bearer(request) in self._state.tokens:
                made.headers.update(self._limit())
            return made

        return endpoint

    def _limit(self) -> dict[str, str]:
        """Count a request of the installation, and say what is left of its hour."""
        self._state.spent += 1
        reset = int(self._state.now().timestamp()) // 3600 * 3600 + 3600
        words = {"Limit": _AN_HOUR, "Remaining": max(_AN_HOUR - self._state.spent, 0), "Reset": reset}
        return {f"X-RateLimit-{name}": str(value) for name, value in words.items()} | {"X-RateLimit-Resource": "core"}

    def app(self, handler: Answer) -> Answer:
        """Let the App in, with its own key."""

        async def checked(request: Request) -> Response:
            proof.check(bearer(request), self._state.app, self._state.now())
            return await handler(request)

        return self.open(checked)

    def installation(self, handler: Answer) -> Answer:
        """Let an installation in, with its token."""

        async def checked(request: Request) -> Response:
            self._check_token(request)
            return await handler(request)

        return self.open(checked)

    def repository(self, endpoint: Endpoint) -> Answer:
        """Let an installation in where it was given the repository and the permission."""

        async def checked(request: Request) -> Response:
            self._check_token(request)
            name = named(request)
            found = self._state.find(name)
            if found is None and name in self._state.moved:
                return self.moved(request, name)
            if found is None or not found.is_installed:
                raise Problem(404, "Not Found")
            if not any(self._has(each) for each in endpoint.needs):
                raise Problem(403, "Resource not accessible by integration")
            return await endpoint.handler(request, found)

        return self.open(checked)

    def moved(self, request: Request, name: str) -> Response:
        """Say where a repository is now."""
        repository = self._state.repositories[self._state.moved[name]]
        path = request.url.path.replace(f"/repos/{name}", f"/repos/{repository.full_name}")
        return RedirectResponse(f"{self._github.base_url}{path}", 301)

    def _has(self, need: str) -> bool:
        name, _, level = need.partition("=")
        return _RANK.get(self._state.app.permissions.get(name, ""), 0) >= _RANK[level]

    def _check_token(self, request: Request) -> None:
        token = self._state.tokens.get(bearer(request))
        if token is None or token.expires_at <= self._state.now() or not self._state.is_installed:
            raise Problem(401, "Bad credentials")
        if self._state.is_suspended:
            raise Problem(403, "This installation has been suspended")


def named(request: Request) -> str:
    """The full name of the repository in a path."""
    return f"{request.path_params['owner']}/{request.path_params['name']}"
