"""What the App asks as itself: who it is, where it is installed, its tokens and its deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from previewbot.demo.github.api.answers import Problem, link, page, page_size
from previewbot.demo.github.api.gate import Answer, Gate, named
from previewbot.demo.github.state import Token

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub


class App:
    """The endpoints outside of any repository."""

    def __init__(self, github: SimulatedGitHub, gate: Gate) -> None:
        self._github, self._gate = github, gate
        self._state, self._shapes = github.state, github.shapes

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path, and what answers."""
        app = self._gate.app
        return [
            ("GET", "/app", app(self.app)),
            ("GET", "/app/installations", app(self.installations)),
            ("POST", "/app/installations/{id:int}/access_tokens", app(self.make_token)),
            ("GET", "/app/hook/deliveries", app(self.deliveries)),
            ("POST", "/app/hook/deliveries/{id:int}/attempts", app(self.redeliver)),
            ("POST", "/app-manifests/{code}/conversions", self._gate.open(self.convert)),
            ("GET", "/installation/repositories", self._gate.installation(self.repositories)),
            ("GET", "/repos/{owner}/{name}/installation", app(self.repository_installation)),
        ]

    async def app(self, _: Request) -> Response:
        """Say who the App is."""
        return JSONResponse(self._shapes.app(self._state.app))

    async def installations(self, _: Request) -> Response:
        """List where the App is installed."""
        return JSONResponse([self._shapes.installation()] if self._state.is_installed else [])

    async def make_token(self, request: Request) -> Response:
        """Make an installation token."""
        if request.path_params["id"] != self._state.installation or not self._state.is_installed:
            raise Problem(404, "Not Found")
        if self._state.is_suspended:
            raise Problem(403, "This installation has been suspended")
        token = Token.make(self._state.now())
        self._state.tokens[token.text] = token
        expires = token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse(
            {"token": token.text, "expires_at": expires, "permissions": self._state.app.permissions,
             "repository_selection": "selected"},
            201,
        )  # fmt: skip

    async def deliveries(self, request: Request) -> Response:
        """List attempts to deliver, newest first."""
        size, cursor = page_size(request), request.query_params.get("cursor")
        attempts = sorted(self._state.attempts, key=lambda each: -each.id)
        if cursor and cursor.isdigit():
            attempts = [each for each in attempts if each.id < int(cursor)]
        if request.query_params.get("status") == "failure":
            attempts = [each for each in attempts if not 200 <= each.status_code < 300]  # noqa: PLR2004
        shown, headers = attempts[:size], {}
        if len(attempts) > size:
            headers = link(f"{self._github.base_url}{request.url.path}", {"per_page": size, "cursor": shown[-1].id})
        return JSONResponse([self._shapes.attempt(each) for each in shown], headers=headers)

    async def redeliver(self, request: Request) -> Response:
        """Deliver once more."""
        if not self._github.hooks.again(request.path_params["id"]):
            raise Problem(404, "Not Found")
        return JSONResponse({}, 202)

    async def convert(self, request: Request) -> Response:
        """Exchange the code of a registration for the App's secrets, once."""
        app = self._state.registrations.pop(request.path_params["code"], None)
        if app is None:
            raise Problem(404, "Not Found")
        self._state.app = app
        self._state.account(app.bot, "Bot")
        secrets = {
            "client_id": app.client_id,
            "client_secret": "x" * 40,
            "webhook_secret": app.secret,
            "pem": app.pem,
        }
        return JSONResponse(self._shapes.app(app) | secrets, 201)

    async def repositories(self, request: Request) -> Response:
        """List what the installation reaches."""
        rows = [self._shapes.repository(each) for each in self._state.installed()]
        return page(request, rows, within="repositories", base=self._github.base_url)

    async def repository_installation(self, request: Request) -> Response:
        """Say whether the App is installed in a repository."""
        name = named(request)
        found = self._state.find(name)
        if found is None and name in self._state.moved:
            return self._gate.moved(request, name)
        if found is None or not found.is_installed or not self._state.is_installed:
            raise Problem(404, "Not Found")
        return JSONResponse(self._shapes.installation())
