"""Who may ask what: every request to the API comes through here, and every answer leaves through here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from previewbot.demo.github import rights
from previewbot.demo.github.api import proof
from previewbot.demo.github.api.answers import Problem, bearer, moved
from previewbot.demo.github.limits import exceeded
from previewbot.demo.github.state import Repository, Token

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub


Answer = Callable[[Request], Awaitable[Response]]
AsInstallation = Callable[[Request, Token], Awaitable[Response]]
InRepository = Callable[[Request, Repository], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something that can be asked about a repository; ``path`` begins after its name."""

    method: str
    path: str
    handler: InRepository
    needs: tuple[str, ...]
    """Permissions, each as ``name=level``, of which one is enough."""


REPOSITORY = ("/repos/{owner}/{name}", "/repositories/{repository:int}")
"""How the path to a repository begins: by its name, or by the id that stays whatever it is called."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a path names; ``moved`` is the answer where that name is no longer the right one."""

    repository: Repository
    moved: Response | None = None


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

            allowance = self._github.limits.spend(self._payer(request))
            made = exceeded(allowance) if allowance.is_exceeded else await self._github.faults.apply(request, answer)
            date = self._state.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
            for name, value in {**allowance.headers, "Date": date, "X-GitHub-Request-Id": "SIMULATED"}.items():
                made.headers.setdefault(name, value)
            return made

        return endpoint

    def _payer(self, request: Request) -> int | None:
        """Whose allowance a request is counted against: an installation's, the App's, or that of strangers."""
        token = rights.opened(self._state, bearer(request))
        if token:
            return token.installation.id
        return self._state.app.id if proof.is_jwt(bearer(request)) else None

    def app(self, handler: Answer) -> Answer:
        """Let the App in, with its own key."""

        async def checked(request: Request) -> Response:
            proof.check(bearer(request), self._state.app, self._state.now())
            return await handler(request)

        return self.open(checked)

    def installation(self, handler: AsInstallation) -> Answer:
        """Let an installation in, with its token."""

        async def checked(request: Request) -> Response:
            return await handler(request, self._token(request))

        return self.open(checked)

    def repository(self, endpoint: Endpoint) -> Answer:
        """Let an installation in where it was given the repository and the permission."""

        async def checked(request: Request) -> Response:
            token, named = self._token(request), self.named(request)
            if named is None or not rights.reaches(self._state, token, named.repository):
                raise Problem(404, "Not Found")
            if named.moved:
                return named.moved
            if not any(rights.allows(self._state, token, each) for each in endpoint.needs):
                problem = Problem(403, "Resource not accessible by integration")
                problem.answer.headers["X-Accepted-GitHub-Permissions"] = "; ".join(endpoint.needs)
                raise problem
            return await endpoint.handler(request, named.repository)

        return self.open(checked)

    def named(self, request: Request) -> Named | None:
        """The repository that a path names, by its id, its name, or one that it had before."""
        if "repository" in request.path_params:
            found = self._state.repositories.get(request.path_params["repository"])
            return Named(found) if found else None
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        found = self._state.find(name)
        if found:
            return Named(found)
        known = self._state.moved.get(name)
        return Named(self._state.repositories[known], self._moved(request, name, known)) if known else None

    def _moved(self, request: Request, name: str, id: int) -> Response:
        before, _, after = request.url.path.partition(f"/repos/{name}")
        query = f"?{request.url.query}" if request.url.query else ""
        return moved(f"{self._github.base_url}{before}/repositories/{id}{after}{query}", request.method)

    def _token(self, request: Request) -> Token:
        token = rights.opened(self._state, bearer(request))
        if token is None:
            raise Problem(401, "Bad credentials")
        if token.installation.is_suspended:
            raise Problem(403, "This installation has been suspended")
        return token
