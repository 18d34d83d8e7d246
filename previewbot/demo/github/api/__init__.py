"""The REST API of the simulated GitHub, as far as an App like previewbot uses it, with GitHub's own permissions.

``gate`` says who may ask, ``answers`` reads and pages, and each other module answers for one part of GitHub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from previewbot.demo.github.api.app import App
from previewbot.demo.github.api.comments import Comments
from previewbot.demo.github.api.deployments import Deployments
from previewbot.demo.github.api.gate import REPOSITORY, Endpoint, Gate
from previewbot.demo.github.api.pulls import Pulls

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

__all__ = ["endpoints", "routes"]


def endpoints(github: SimulatedGitHub) -> list[Endpoint]:
    """Everything that can be asked about a repository."""
    parts = (Pulls(github), Comments(github), Deployments(github))
    return [each for part in parts for each in part.endpoints()]


def routes(github: SimulatedGitHub) -> list[Route]:
    """Every path, without its prefix."""
    gate = Gate(github)
    app = [Route(path, answer, methods=[method]) for method, path, answer in App(github, gate).routes()]
    found = [(each, gate.repository(each)) for each in endpoints(github)]
    return [
        *app,
        *(Route(f"{begin}{each.path}", it, methods=[each.method]) for begin in REPOSITORY for each, it in found),
    ]
