"""Comments on pull requests, and reactions to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from previewbot.demo.github.api.answers import Problem, invalid, page, read_text
from previewbot.demo.github.api.gate import Endpoint
from previewbot.demo.github.api.pulls import pull_of
from previewbot.demo.github.shapes.comments import REACTIONS
from previewbot.demo.github.state import Comment, Pull, Reaction, Repository

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub


class Comments:
    """The endpoints below ``/issues``, which pull requests share with issues."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._github = github
        self._state, self._shapes = github.state, github.shapes

    def endpoints(self) -> list[Endpoint]:
        """Everything, with what it needs: the permission for issues or the one for pull requests."""
        read, write = ("issues=read", "pull_requests=read"), ("issues=write", "pull_requests=write")
        return [
            Endpoint("GET", "/issues/{number:int}/comments", self.comments, read),
            Endpoint("POST", "/issues/{number:int}/comments", self.add, write),
            Endpoint("GET", "/issues/comments/{id:int}", self.comment, read),
            Endpoint("PATCH", "/issues/comments/{id:int}", self.edit, write),
            Endpoint("POST", "/issues/comments/{id:int}/reactions", self.react, write),
        ]

    async def comments(self, request: Request, repository: Repository) -> Response:
        """List comments, oldest first."""
        pull = pull_of(request, repository)
        rows = [self._shapes.comment(repository, pull, each) for each in pull.comments]
        return page(request, rows, base=self._github.base_url)

    async def add(self, request: Request, repository: Repository) -> Response:
        """Write a comment as the App."""
        pull, body = pull_of(request, repository), await read_text(request, "body", "IssueComment")
        made = self._github.comment(repository, pull, self._state.app.bot, body)
        return JSONResponse(self._shapes.comment(repository, pull, made), 201)

    async def comment(self, request: Request, repository: Repository) -> Response:
        """Show a comment."""
        pull, comment = self._find(request, repository)
        return JSONResponse(self._shapes.comment(repository, pull, comment))

    async def edit(self, request: Request, repository: Repository) -> Response:
        """Change a comment of the App's own."""
        pull, comment = self._find(request, repository)
        if comment.author != self._state.app.bot:
            raise Problem(403, "Resource not accessible by integration")
        comment.body, comment.updated_at = await read_text(request, "body", "IssueComment"), self._state.now()
        self._github.changed()
        return JSONResponse(self._shapes.comment(repository, pull, comment))

    async def react(self, request: Request, repository: Repository) -> Response:
        """React to a comment; the same reaction twice is one."""
        _, comment = self._find(request, repository)
        bot, content = self._state.app.bot, await read_text(request, "content", "Reaction")
        if content not in REACTIONS:
            raise invalid("Reaction", "content", "invalid")
        mine = [each for each in comment.reactions if (each.author, each.content) == (bot, content)]
        if mine:
            return JSONResponse(self._shapes.reaction(mine[0]))
        made = Reaction(next(self._state.ids), bot, content, self._state.now())
        comment.reactions.append(made)
        self._github.changed()
        return JSONResponse(self._shapes.reaction(made), 201)

    def _find(self, request: Request, repository: Repository) -> tuple[Pull, Comment]:
        found = self._state.comment(repository, request.path_params["id"])
        if found is None:
            raise Problem(404, "Not Found")
        return found
