"""Git over HTTP: ``git http-backend`` behind the tokens of the installation. Fetching only."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from previewbot.demo.github import rights

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub


async def serve(github: SimulatedGitHub, request: Request) -> Response:
    """Answer one request of a git client."""
    token = rights.opened(github.state, _password(request))
    if token is None or token.installation.is_suspended:
        return PlainTextResponse("Repository not found.", 401, {"WWW-Authenticate": 'Basic realm="GitHub"'})
    name = f"{request.path_params['owner']}/{request.path_params['name']}"
    former = github.state.repositories.get(github.state.moved.get(name, 0))
    repository = github.state.find(name) or former
    readable = rights.allows(github.state, token, "contents=read")
    if repository is None or not rights.reaches(github.state, token, repository) or not readable:
        return PlainTextResponse("Repository not found.", 404)
    rest = request.path_params["rest"]
    if repository.full_name != name:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{github.base_url}/{repository.full_name}.git/{rest}{query}", 301)
    return await _backend(github, request, f"/{repository.id}.git/{rest}")


def _password(request: Request) -> str:
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(said, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


async def _backend(github: SimulatedGitHub, request: Request, path: str) -> Response:
    body = await request.body()
    process = await asyncio.create_subprocess_exec(
        "git", "http-backend",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(github.root),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": request.url.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        },
    )  # fmt: skip
    out, _ = await process.communicate(body)
    head, _, content = out.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0])
    return Response(content, status, headers)
