"""What the App asks as itself: who it is, where it is installed, its tokens and its deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from previewbot.demo.github import rights
from previewbot.demo.github.api.answers import Problem, link, page, page_size, read_json
from previewbot.demo.github.api.gate import REPOSITORY, Answer, Gate
from previewbot.demo.github.state import Repository, Token

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
            *(("GET", f"{each}/installation", app(self.repository_installation)) for each in REPOSITORY),
        ]

    async def app(self, _: Request) -> Response:
        """Say who the App is."""
        return JSONResponse(self._shapes.app(self._state.app))

    async def installations(self, _: Request) -> Response:
        """List where the App is installed."""
        return JSONResponse([self._shapes.installation(each) for each in self._state.installations.values()])

    async def make_token(self, request: Request) -> Response:
        """Make a token of an installation, for everything or for as little as was asked for."""
        wanted, body = request.path_params["id"], await read_json(request)
        installation = next((each for each in self._state.installations.values() if each.id == wanted), None)
        if installation is None:
            raise Problem(404, "Not Found")
        if installation.is_suspended:
            raise Problem(403, "This installation has been suspended")
        token = Token(installation, self._state.now() + timedelta(hours=1), self._permissions(body))
        token.repositories = self._repositories(body, rights.reached(self._state, token))
        self._state.tokens[token.text] = token
        return JSONResponse(self._shapes.token(token), 201)

    def _permissions(self, body: dict[str, Any]) -> dict[str, str]:
        """The permissions that a token shall have."""
        granted = self._state.app.permissions
        wanted: dict[str, str] = body.get("permissions", granted)
        if not all(rights.covers(granted, f"{name}={level}") for name, level in wanted.items()):
            raise Problem(422, "The permissions requested are not granted to this installation.")
        return dict(wanted)

    def _repositories(self, body: dict[str, Any], reached: list[Repository]) -> frozenset[int] | None:
        """The only repositories that a token shall open; ``None`` for all."""
        names, ids = body.get("repositories", []), body.get("repository_ids", [])
        if not names and not ids:
            return None
        found = {each.id for each in reached if each.id in ids or each.full_name.split("/")[1] in names}
        if len(found) != len({*names, *ids}):
            raise Problem(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        return frozenset(found)

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

    async def repositories(self, request: Request, token: Token) -> Response:
        """List what a token opens."""
        rows = [self._shapes.repository(each) for each in rights.reached(self._state, token)]
        return page(request, rows, within="repositories", base=self._github.base_url)

    async def repository_installation(self, request: Request) -> Response:
        """Say whether the App is installed in a repository."""
        named = self._gate.named(request)
        installation = self._state.installation_of(named.repository) if named else None
        if named is None or installation is None:
            raise Problem(404, "Not Found")
        return named.moved or JSONResponse(self._shapes.installation(installation))
