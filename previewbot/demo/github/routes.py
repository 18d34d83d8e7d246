"""Which path of the simulated GitHub leads where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from previewbot.demo.github import api, git_http
from previewbot.demo.github.manifest import Registration
from previewbot.demo.github.pages import Pages

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub


def routes(github: SimulatedGitHub) -> list[BaseRoute]:
    """Every route: the API with and without Enterprise's prefix, git, and what people see."""

    async def git(request: Request) -> Response:
        return await git_http.serve(github, request)

    return [
        *api.routes(github),
        Mount("/api/v3", routes=api.routes(github)),
        Route("/{owner}/{name}.git/{rest:path}", git, methods=["GET", "POST"]),
        *Registration(github).routes(),
        *Pages(github).routes(),
    ]
