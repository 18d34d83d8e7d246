"""Deployments and their statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from previewbot.demo.github.api.answers import Problem, invalid, page, read_json
from previewbot.demo.github.api.gate import Endpoint
from previewbot.demo.github.state import Deployment, DeploymentStatus, Repository

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


class Deployments:
    """The endpoints below ``/deployments``."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._github = github
        self._state, self._shapes = github.state, github.shapes

    def endpoints(self) -> list[Endpoint]:
        """Everything, with what it needs."""
        read, write = ("deployments=read",), ("deployments=write",)
        return [
            Endpoint("GET", "/deployments", self.deployments, read),
            Endpoint("POST", "/deployments", self.deploy, write),
            Endpoint("GET", "/deployments/{id:int}/statuses", self.statuses, read),
            Endpoint("POST", "/deployments/{id:int}/statuses", self.add_status, write),
        ]

    async def deployments(self, request: Request, repository: Repository) -> Response:
        """List deployments, newest first."""
        asked = request.query_params
        wanted = {name: asked[name] for name in ("sha", "environment", "ref") if name in asked}
        found = [
            each for each in repository.deployments if all(getattr(each, name) == is_ for name, is_ in wanted.items())
        ]
        rows = [self._shapes.deployment(repository, each) for each in sorted(found, key=lambda each: -each.id)]
        return page(request, rows, base=self._github.base_url)

    async def deploy(self, request: Request, repository: Repository) -> Response:
        """Make a deployment."""
        body = await read_json(request)
        ref = body.get("ref")
        if not isinstance(ref, str):
            raise Problem(422, 'Invalid request.\n\n"ref" wasn\'t supplied.', errors=[])
        pull = next((each for each in repository.pulls.values() if ref in (each.head_ref, *each.commits)), None)
        if pull is None:
            raise Problem(422, f"No ref found for: {ref}")
        sha = pull.sha if ref == pull.head_ref else ref
        made = Deployment(
            next(self._state.ids),
            sha,
            ref,
            str(body.get("environment", "production")),
            self._state.now(),
            body.get("payload", {}),
        )
        repository.deployments.append(made)
        self._github.changed()
        return JSONResponse(self._shapes.deployment(repository, made), 201)

    async def statuses(self, request: Request, repository: Repository) -> Response:
        """List a deployment's statuses, newest first."""
        deployment = self._find(request, repository)
        rows = [self._shapes.status(repository, deployment, each) for each in reversed(deployment.statuses)]
        return page(request, rows, base=self._github.base_url)

    async def add_status(self, request: Request, repository: Repository) -> Response:
        """Add a status to a deployment."""
        deployment, body = self._find(request, repository), await read_json(request)
        if body.get("state") not in _STATES:
            raise invalid("DeploymentStatus", "state", "custom")
        urls = [str(body.get(name) or "") for name in ("environment_url", "log_url")]
        made = DeploymentStatus(next(self._state.ids), body["state"], urls[0], urls[1], self._state.now())
        deployment.statuses.append(made)
        self._github.changed()
        return JSONResponse(self._shapes.status(repository, deployment, made), 201)

    def _find(self, request: Request, repository: Repository) -> Deployment:
        found = next((each for each in repository.deployments if each.id == request.path_params["id"]), None)
        if found is None:
            raise Problem(404, "Not Found")
        return found
