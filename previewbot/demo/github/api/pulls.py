"""A repository, its pull requests, and what people may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from previewbot.demo.github import repository as git
from previewbot.demo.github.api.answers import Problem, page
from previewbot.demo.github.api.gate import Endpoint
from previewbot.demo.github.state import Pull, Repository

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub


class Pulls:
    """The endpoints that only read."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._github = github
        self._state, self._shapes = github.state, github.shapes

    def endpoints(self) -> list[Endpoint]:
        """Everything, with what it needs."""
        metadata, pulls = ("metadata=read",), ("pull_requests=read",)
        return [
            Endpoint("GET", "", self.repository, metadata),
            Endpoint("GET", "/pulls", self.pulls, pulls),
            Endpoint("GET", "/pulls/{number:int}", self.pull, pulls),
            Endpoint("GET", "/pulls/{number:int}/files", self.files, pulls),
            Endpoint("GET", "/collaborators/{login:path}/permission", self.permission, metadata),
        ]

    async def repository(self, _: Request, repository: Repository) -> Response:
        """Show the repository."""
        return JSONResponse(self._shapes.repository(repository, full=True))

    async def pulls(self, request: Request, repository: Repository) -> Response:
        """List pull requests, open ones unless asked otherwise."""
        state = request.query_params.get("state", "open")
        found = [each for each in repository.pulls.values() if state in ("all", each.state)]
        newest = sorted(found, key=lambda each: -each.number)
        rows = [self._shapes.pull(repository, each, full=False) for each in newest]
        return page(request, rows, base=self._github.base_url)

    async def pull(self, request: Request, repository: Repository) -> Response:
        """Show one pull request."""
        return JSONResponse(self._shapes.pull(repository, pull_of(request, repository)))

    async def files(self, request: Request, repository: Repository) -> Response:
        """List the files that a pull request changes."""
        pull = pull_of(request, repository)
        paths = await git.changed(self._github.folder(repository), pull.commits[0], pull.sha)
        rows = [self._shapes.file(path) for path in paths]
        return page(request, rows, base=self._github.base_url)

    async def permission(self, request: Request, repository: Repository) -> Response:
        """Say what a person may do."""
        login = request.path_params["login"]
        if login not in self._state.accounts:
            raise Problem(404, f"{login} is not a user")
        level = repository.permissions.get(login, "none")
        user = self._shapes.account(self._state.accounts[login]) | {"role_name": level}
        return JSONResponse({"permission": level, "role_name": level, "user": user})


def pull_of(request: Request, repository: Repository) -> Pull:
    """The pull request that a path names."""
    found = repository.pulls.get(request.path_params["number"])
    if found is None:
        raise Problem(404, "Not Found")
    return found
