"""The REST API of the simulated GitHub, as far as an App like previewbot uses it, with GitHub's own permissions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from previewbot.demo.github import repository as git
from previewbot.demo.github.state import Comment, Deployment, DeploymentStatus, Pull, Repository, Token, now

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

_AN_HOUR = 5000
"""Requests of an installation; the simulation never refuses any."""
_RANK = {"read": 1, "write": 2, "admin": 3}
Needs = Sequence[tuple[str, str]]
"""Permissions of which one is enough."""
Handler = Callable[[Request, Repository], Awaitable[Response]]


class Problem(Exception):  # noqa: N818 - what GitHub calls it
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.answer = JSONResponse(
            {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status), **more},
            status,
        )


class Api:
    """Every endpoint."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self.github = github
        self.state = github.state
        self.shapes = github.shapes

    def routes(self) -> list[Route]:
        """The paths, without their prefix."""
        app, repo = self._as_app, self._in_repository
        issues_or_pulls = (("issues", "write"), ("pull_requests", "write"))
        pulls, deploy = (("pull_requests", "read"),), (("deployments", "write"),)
        table: list[tuple[str, str, Callable[..., Awaitable[Response]]]] = [
            ("GET", "/app", app(self.get_app)),
            ("GET", "/app/installations", app(self.installations)),
            ("POST", "/app/installations/{id:int}/access_tokens", app(self.make_token)),
            ("GET", "/app/hook/deliveries", app(self.deliveries)),
            ("POST", "/app/hook/deliveries/{id:int}/attempts", app(self.redeliver)),
            ("POST", "/app-manifests/{code}/conversions", self._open(self.convert)),
            ("GET", "/installation/repositories", self._open(self.installation_repositories)),
            ("GET", "/repos/{owner}/{name}/installation", app(self.repository_installation)),
            ("GET", "/repos/{owner}/{name}", repo(self.repository, (("metadata", "read"),))),
            ("GET", "/repos/{owner}/{name}/pulls", repo(self.pulls, pulls)),
            ("GET", "/repos/{owner}/{name}/pulls/{number:int}", repo(self.pull, pulls)),
            ("GET", "/repos/{owner}/{name}/pulls/{number:int}/files", repo(self.files, pulls)),
            (
                "GET",
                "/repos/{owner}/{name}/collaborators/{login}/permission",
                repo(self.permission, (("metadata", "read"),)),
            ),
            (
                "GET",
                "/repos/{owner}/{name}/issues/{number:int}/comments",
                repo(self.comments, (("issues", "read"), *pulls)),
            ),
            ("POST", "/repos/{owner}/{name}/issues/{number:int}/comments", repo(self.add_comment, issues_or_pulls)),
            (
                "GET",
                "/repos/{owner}/{name}/issues/comments/{id:int}",
                repo(self.get_comment, (("issues", "read"), *pulls)),
            ),
            ("PATCH", "/repos/{owner}/{name}/issues/comments/{id:int}", repo(self.edit_comment, issues_or_pulls)),
            ("POST", "/repos/{owner}/{name}/issues/comments/{id:int}/reactions", repo(self.react, issues_or_pulls)),
            ("GET", "/repos/{owner}/{name}/deployments", repo(self.deployments, (("deployments", "read"),))),
            ("POST", "/repos/{owner}/{name}/deployments", repo(self.deploy, deploy)),
            (
                "GET",
                "/repos/{owner}/{name}/deployments/{id:int}/statuses",
                repo(self.statuses, (("deployments", "read"),)),
            ),
            ("POST", "/repos/{owner}/{name}/deployments/{id:int}/statuses", repo(self.add_status, deploy)),
        ]
        return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]

    # --- who asks ---------------------------------------------------------------------------------------------------

    def _open(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.github.requests.append((request.method, request.url.path))

            async def answer() -> Response:
                try:
                    return await handler(request)
                except Problem as problem:
                    return problem.answer

            made = await self.github.faults.apply(request, answer)
            made.headers.setdefault("Date", now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
            made.headers.setdefault("X-GitHub-Request-Id", "SIMULATED")
            if _bearer(request) in self.state.tokens:
                made.headers.update(self._limit())
            return made

        return endpoint

    def _limit(self) -> dict[str, str]:
        """Count a request of the installation, and say what is left of its hour."""
        self.state.spent += 1
        reset = int(now().timestamp()) // 3600 * 3600 + 3600
        words = {"Limit": _AN_HOUR, "Remaining": max(_AN_HOUR - self.state.spent, 0), "Reset": reset}
        return {f"X-RateLimit-{name}": str(value) for name, value in words.items()} | {"X-RateLimit-Resource": "core"}

    def _as_app(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            self._check_jwt(request)
            return await handler(request)

        return self._open(checked)

    def _check_jwt(self, request: Request) -> None:
        said = _bearer(request)
        try:
            claims = jwt.decode(
                said,
                self.state.app.key.public_key(),
                algorithms=["RS256"],
                leeway=self.github.leeway,
                options={"require": ["exp", "iat", "iss"]},
            )
        except jwt.PyJWTError:
            raise Problem(401, "A JSON web token could not be decoded") from None
        if claims["exp"] - claims["iat"] > timedelta(minutes=11).total_seconds():
            raise Problem(401, "'Expiration time' claim ('exp') is too far in the future")
        if str(claims["iss"]) not in (str(self.state.app.id), f"Iv1.{self.state.app.id}"):
            raise Problem(401, "Integration must generate a public key")

    def _check_token(self, request: Request) -> None:
        token = self.state.tokens.get(_bearer(request))
        if token is None or token.expires_at <= now() or not self.state.is_installed:
            raise Problem(401, "Bad credentials")
        if self.state.is_suspended:
            raise Problem(403, "This installation has been suspended")

    def _in_repository(self, handler: Handler, needs: Needs) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            self._check_token(request)
            name = f"{request.path_params['owner']}/{request.path_params['name']}"
            found = self.state.find(name)
            if found is None and name in self.state.moved:
                return self._moved(request, self.state.repositories[self.state.moved[name]], name)
            if found is None or not found.is_installed:
                raise Problem(404, "Not Found")
            if not any(_RANK.get(self.state.app.permissions.get(each, ""), 0) >= _RANK[level] for each, level in needs):
                raise Problem(403, "Resource not accessible by integration")
            return await handler(request, found)

        return self._open(checked)

    def _moved(self, request: Request, repository: Repository, name: str) -> Response:
        path = request.url.path.replace(f"/repos/{name}", f"/repos/{repository.full_name}")
        return RedirectResponse(f"{self.github.base_url}{path}", 301)

    # --- the App ----------------------------------------------------------------------------------------------------

    async def get_app(self, _: Request) -> Response:
        """Say who the App is."""
        return JSONResponse(self.shapes.app(self.state.app))

    async def installations(self, _: Request) -> Response:
        """List where the App is installed."""
        return JSONResponse([self.shapes.installation()] if self.state.is_installed else [])

    async def make_token(self, request: Request) -> Response:
        """Make an installation token."""
        if request.path_params["id"] != self.state.installation or not self.state.is_installed:
            raise Problem(404, "Not Found")
        if self.state.is_suspended:
            raise Problem(403, "This installation has been suspended")
        token = Token.make()
        self.state.tokens[token.text] = token
        expires = token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse(
            {"token": token.text, "expires_at": expires, "permissions": self.state.app.permissions,
             "repository_selection": "selected"},
            201,
        )  # fmt: skip

    async def deliveries(self, request: Request) -> Response:
        """List attempts to deliver, newest first."""
        size = _size(request)
        cursor = request.query_params.get("cursor")
        attempts = sorted(self.state.attempts, key=lambda each: -each.id)
        if cursor and cursor.isdigit():
            attempts = [each for each in attempts if each.id < int(cursor)]
        if request.query_params.get("status") == "failure":
            attempts = [each for each in attempts if not 200 <= each.status_code < 300]  # noqa: PLR2004
        page = attempts[:size]
        headers = {}
        if len(attempts) > size:
            query = urlencode({"per_page": size, "cursor": page[-1].id})
            headers["Link"] = f'<{self.github.base_url}/app/hook/deliveries?{query}>; rel="next"'
        return JSONResponse([self.shapes.attempt(each) for each in page], headers=headers)

    async def redeliver(self, request: Request) -> Response:
        """Deliver once more."""
        if not self.github.hooks.again(request.path_params["id"]):
            raise Problem(404, "Not Found")
        return JSONResponse({}, 202)

    async def convert(self, request: Request) -> Response:
        """Exchange the code of a registration for the App's secrets, once."""
        app = self.state.registrations.pop(request.path_params["code"], None)
        if app is None:
            raise Problem(404, "Not Found")
        self.state.app = app
        self.state.account(app.bot, "Bot")
        secrets = {
            "client_id": f"Iv1.{app.id}",
            "client_secret": "x" * 40,
            "webhook_secret": app.secret,
            "pem": app.pem,
        }
        return JSONResponse(self.shapes.app(app) | secrets, 201)

    async def installation_repositories(self, request: Request) -> Response:
        """List what the installation reaches."""
        self._check_token(request)
        rows = [self.shapes.repository(each) for each in self.state.installed()]
        page, headers = self._page(request, rows)
        return JSONResponse({"total_count": len(rows), "repositories": page}, headers=headers)

    async def repository_installation(self, request: Request) -> Response:
        """Say whether the App is installed in a repository."""
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        found = self.state.find(name)
        if found is None and name in self.state.moved:
            return self._moved(request, self.state.repositories[self.state.moved[name]], name)
        if found is None or not found.is_installed or not self.state.is_installed:
            raise Problem(404, "Not Found")
        return JSONResponse(self.shapes.installation())

    # --- a repository -----------------------------------------------------------------------------------------------

    async def repository(self, _: Request, repository: Repository) -> Response:
        """Show the repository."""
        return JSONResponse(self.shapes.repository(repository))

    async def pulls(self, request: Request, repository: Repository) -> Response:
        """List pull requests, open ones unless asked otherwise."""
        state = request.query_params.get("state", "open")
        found = [each for each in repository.pulls.values() if state in ("all", each.state)]
        rows = [self.shapes.pull(repository, each, full=False) for each in sorted(found, key=lambda each: -each.number)]
        page, headers = self._page(request, rows)
        return JSONResponse(page, headers=headers)

    async def pull(self, request: Request, repository: Repository) -> Response:
        """Show one pull request."""
        return JSONResponse(self.shapes.pull(repository, self._pull(request, repository)))

    async def files(self, request: Request, repository: Repository) -> Response:
        """List the files that a pull request changes."""
        pull = self._pull(request, repository)
        paths = await git.changed(self.github.folder(repository), pull.commits[0], pull.sha)
        rows = [
            {"sha": "1" * 40, "filename": path, "status": "modified", "additions": 1, "deletions": 1, "changes": 2,
             "blob_url": f"{self.github.base_url}/blob", "raw_url": f"{self.github.base_url}/raw",
             "contents_url": f"{self.github.base_url}/contents"}
            for path in paths
        ]  # fmt: skip
        page, headers = self._page(request, rows)
        return JSONResponse(page, headers=headers)

    async def permission(self, request: Request, repository: Repository) -> Response:
        """Say what a person may do."""
        login = request.path_params["login"]
        if login not in self.state.accounts:
            raise Problem(404, f"{login} is not a user")
        level = repository.permissions.get(login, "none")
        user = self.shapes.account(self.state.accounts[login]) | {"role_name": level}
        return JSONResponse({"permission": level, "role_name": level, "user": user})

    async def comments(self, request: Request, repository: Repository) -> Response:
        """List comments, oldest first."""
        pull = self._pull(request, repository)
        page, headers = self._page(request, [self.shapes.comment(repository, pull, each) for each in pull.comments])
        return JSONResponse(page, headers=headers)

    async def add_comment(self, request: Request, repository: Repository) -> Response:
        """Write a comment as the App."""
        pull, body = self._pull(request, repository), await _text(request, "body")
        made = self.github.comment(repository, pull, self.state.app.bot, body)
        return JSONResponse(self.shapes.comment(repository, pull, made), 201)

    async def get_comment(self, request: Request, repository: Repository) -> Response:
        """Show a comment."""
        pull, comment = self._comment(request, repository)
        return JSONResponse(self.shapes.comment(repository, pull, comment))

    async def edit_comment(self, request: Request, repository: Repository) -> Response:
        """Change a comment of the App's own."""
        pull, comment = self._comment(request, repository)
        if comment.author != self.state.app.bot:
            raise Problem(403, "Resource not accessible by integration")
        comment.body, comment.updated_at = await _text(request, "body"), now()
        self.github.changed()
        return JSONResponse(self.shapes.comment(repository, pull, comment))

    async def react(self, request: Request, repository: Repository) -> Response:
        """React to a comment; the same reaction twice is one."""
        _, comment = self._comment(request, repository)
        content = await _text(request, "content")
        mine = (self.state.app.bot, content)
        is_new = mine not in comment.reactions
        if is_new:
            comment.reactions.append(mine)
            self.github.changed()
        user = self.shapes.account(self.state.account(self.state.app.bot))
        made = {
            "id": comment.id + 1,
            "node_id": "R_1",
            "user": user,
            "content": content,
            "created_at": "2026-01-01T00:00:00Z",
        }
        return JSONResponse(made, 201 if is_new else 200)

    async def deployments(self, request: Request, repository: Repository) -> Response:
        """List deployments, newest first."""
        wanted = {
            name: request.query_params[name] for name in ("sha", "environment", "ref") if name in request.query_params
        }
        found = [
            each for each in repository.deployments if all(getattr(each, name) == is_ for name, is_ in wanted.items())
        ]
        rows = [self.shapes.deployment(repository, each) for each in sorted(found, key=lambda each: -each.id)]
        page, headers = self._page(request, rows)
        return JSONResponse(page, headers=headers)

    async def deploy(self, request: Request, repository: Repository) -> Response:
        """Make a deployment."""
        body = await _json(request)
        ref = body.get("ref")
        if not isinstance(ref, str):
            raise Problem(422, 'Invalid request.\n\n"ref" wasn\'t supplied.', errors=[])
        pull = next((each for each in repository.pulls.values() if ref in (each.head_ref, *each.commits)), None)
        if pull is None:
            raise Problem(422, f"No ref found for: {ref}")
        sha = pull.sha if ref == pull.head_ref else ref
        made = Deployment(next(self.state.ids), sha, ref, str(body.get("environment", "production")), now())
        repository.deployments.append(made)
        self.github.changed()
        return JSONResponse(self.shapes.deployment(repository, made), 201)

    async def statuses(self, request: Request, repository: Repository) -> Response:
        """List a deployment's statuses, newest first."""
        deployment = self._deployment(request, repository)
        rows = [self.shapes.status(repository, deployment, each) for each in reversed(deployment.statuses)]
        return JSONResponse(rows)

    async def add_status(self, request: Request, repository: Repository) -> Response:
        """Add a status to a deployment."""
        deployment, body = self._deployment(request, repository), await _json(request)
        if body.get("state") not in ("error", "failure", "inactive", "in_progress", "queued", "pending", "success"):
            raise Problem(
                422, "Validation Failed", errors=[{"resource": "DeploymentStatus", "field": "state", "code": "custom"}]
            )
        made = DeploymentStatus(
            next(self.state.ids),
            body["state"],
            str(body.get("environment_url") or ""),
            str(body.get("log_url") or ""),
            now(),
        )
        deployment.statuses.append(made)
        self.github.changed()
        return JSONResponse(self.shapes.status(repository, deployment, made), 201)

    # --- finding ----------------------------------------------------------------------------------------------------

    def _pull(self, request: Request, repository: Repository) -> Pull:
        found = repository.pulls.get(request.path_params["number"])
        if found is None:
            raise Problem(404, "Not Found")
        return found

    def _comment(self, request: Request, repository: Repository) -> tuple[Pull, Comment]:
        found = self.state.comment(repository, request.path_params["id"])
        if found is None:
            raise Problem(404, "Not Found")
        return found

    def _deployment(self, request: Request, repository: Repository) -> Deployment:
        found = next((each for each in repository.deployments if each.id == request.path_params["id"]), None)
        if found is None:
            raise Problem(404, "Not Found")
        return found

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        size, number = _size(request), _number(request, "page", 1)
        page = rows[(number - 1) * size : number * size]
        if number * size >= len(rows):
            return page, {}
        query = urlencode({**request.query_params, "page": number + 1})
        return page, {"Link": f'<{self.github.base_url}{request.url.path}?{query}>; rel="next"'}


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2]


def _size(request: Request) -> int:
    return min(_number(request, "per_page", 30), 100)


def _number(request: Request, name: str, default: int) -> int:
    said = request.query_params.get(name, "")
    return int(said) if said.isdigit() and int(said) > 0 else default


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise Problem(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Problem(400, "Body should be a JSON object")
    return body


async def _text(request: Request, name: str) -> str:
    value = (await _json(request)).get(name)
    if not isinstance(value, str) or not value.strip():
        raise Problem(
            422, "Validation Failed", errors=[{"resource": "IssueComment", "field": name, "code": "missing_field"}]
        )
    if len(value) > 65_536:  # noqa: PLR2004 - GitHub's own limit
        raise Problem(
            422, "Validation Failed", errors=[{"resource": "IssueComment", "field": name, "code": "too_long"}]
        )
    return value
