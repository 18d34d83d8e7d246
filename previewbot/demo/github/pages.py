"""What a person sees of the simulated GitHub: its pull requests, live, with everything that can be done to them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from previewbot.demo.github import forms
from previewbot.demo.github import repository as git
from previewbot.demo.github.state import Pull, Repository

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

_TEMPLATES = Environment(
    loader=PackageLoader("previewbot.demo.github"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_MARKDOWN = MarkdownIt("gfm-like", {"html": False, "linkify": True}).disable("linkify", ignoreInvalid=True)

_EMOJI = {"eyes": "👀", "+1": "👍", "-1": "👎", "rocket": "🚀", "heart": "❤️", "confused": "😕"}

Act = Callable[["SimulatedGitHub", Repository, Pull, dict[str, str]], Awaitable[None]]


def markdown(text: str) -> Markup:
    """Render a comment as GitHub would: tables, fences, links; ``<sub>`` stays, comments vanish, other HTML is text."""
    visible = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    rendered = _MARKDOWN.render(visible)
    # The text is escaped by now, so only these two tags can come back.
    return Markup(rendered.replace("&lt;sub&gt;", "<sub>").replace("&lt;/sub&gt;", "</sub>"))  # noqa: S704


class Pages:
    """Every page."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._github = github

    def routes(self) -> list[BaseRoute]:
        """The paths."""
        return [
            Route("/", self.index),
            Mount("/-/static", StaticFiles(directory=Path(__file__).with_name("static"))),
            Route("/-/deliveries/{id:int}/again", self.again, methods=["POST"]),
            Route("/{owner}/{name}/pulls/new", self.open, methods=["POST"]),
            Route("/{owner}/{name}/pull/{number:int}", self.pull),
            Route("/{owner}/{name}/pull/{number:int}/live", self.live),
            Route("/{owner}/{name}/pull/{number:int}/{action}", self.act, methods=["POST"]),
        ]

    async def index(self, _: Request) -> Response:
        """List repositories and their pull requests."""
        rows = [
            (each, sorted(each.pulls.values(), key=lambda pull: -pull.number))
            for each in self._github.state.repositories.values()
            if each.is_installed
        ]
        return _page("index.html", rows=rows, editable=self._github.editable)

    async def open(self, request: Request) -> Response:
        """Open a pull request that changes the first editable file."""
        repository = self._repository(request)
        if repository is None:
            return _missing()
        form = await forms.read(request)
        title = str(form.get("title") or "A change")
        path = self._github.editable[0] if self._github.editable else "README.md"
        content = str(form.get("content") or title)
        made = await self._github.open_pull(repository, author="alice", title=title, files={path: content})
        return RedirectResponse(f"/{repository.full_name}/pull/{made.number}", 303)

    async def pull(self, request: Request) -> Response:
        """Show a pull request."""
        found = self._find(request)
        return _page("pull.html", **await self._facts(*found)) if found else _missing()

    async def live(self, request: Request) -> Response:
        """Send the changing part of the page whenever something happens."""
        found = self._find(request)
        return EventSourceResponse(self._follow(*found), ping=15) if found else _missing()

    async def _follow(self, repository: Repository, pull: Pull) -> AsyncIterator[dict[str, str]]:
        shown = ""
        while True:
            made = _TEMPLATES.get_template("conversation.html").render(**await self._facts(repository, pull))
            if made != shown:
                shown = made
                yield {"data": made}
            await self._github.wait(5)

    async def _facts(self, repository: Repository, pull: Pull) -> dict[str, object]:
        folder = self._github.folder(repository)
        contents = [(path, await git.read(folder, pull.sha, path)) for path in self._github.editable]
        return {
            "repository": repository,
            "pull": pull,
            "head": self._github.state.repositories.get(pull.head_repository or 0),
            "bot": self._github.state.app.bot,
            "events": _events(pull),
            "deployments": _deployments(repository, pull),
            "attempts": sorted(self._github.state.attempts, key=lambda each: -each.id)[:12],
            "contents": contents,
            "markdown": markdown,
            "emoji": _EMOJI,
        }

    async def act(self, request: Request) -> Response:
        """Do what a button says, and show the page again."""
        found = self._find(request)
        act = _ACTS.get(request.path_params["action"])
        if found is None or act is None:
            return _missing()
        form = await forms.read(request)
        await act(self._github, *found, form)
        return RedirectResponse(f"/{found[0].full_name}/pull/{found[1].number}", 303)

    async def again(self, request: Request) -> Response:
        """Deliver a webhook once more."""
        self._github.hooks.again(request.path_params["id"])
        return RedirectResponse(request.headers.get("referer", "/"), 303)

    def _repository(self, request: Request) -> Repository | None:
        return self._github.state.find(f"{request.path_params['owner']}/{request.path_params['name']}")

    def _find(self, request: Request) -> tuple[Repository, Pull] | None:
        repository = self._repository(request)
        pull = repository.pulls.get(request.path_params["number"]) if repository else None
        return (repository, pull) if repository and pull else None


async def _push(github: SimulatedGitHub, repository: Repository, pull: Pull, form: dict[str, str]) -> None:
    path = form.get("path", "")
    if path in github.editable:
        content = form.get("content", "").replace("\r\n", "\n")
        await github.push(repository, pull, {path: content}, form.get("message") or f"Update {path}")


async def _comment(github: SimulatedGitHub, repository: Repository, pull: Pull, form: dict[str, str]) -> None:
    if form.get("body", "").strip():
        github.comment(repository, pull, "alice", form["body"].replace("\r\n", "\n"))


async def _close(github: SimulatedGitHub, repository: Repository, pull: Pull, _: dict[str, str]) -> None:
    github.close(repository, pull)


async def _merge(github: SimulatedGitHub, repository: Repository, pull: Pull, _: dict[str, str]) -> None:
    github.close(repository, pull, merge=True)


async def _reopen(github: SimulatedGitHub, repository: Repository, pull: Pull, _: dict[str, str]) -> None:
    github.reopen(repository, pull)


async def _draft(github: SimulatedGitHub, repository: Repository, pull: Pull, _: dict[str, str]) -> None:
    github.set_draft(repository, pull, draft=not pull.draft)


async def _label(github: SimulatedGitHub, repository: Repository, pull: Pull, form: dict[str, str]) -> None:
    name = form.get("name", "").strip()[:50]
    if name:
        github.label(repository, pull, name, remove=name in pull.labels)


_ACTS: dict[str, Act] = {
    "push": _push,
    "comment": _comment,
    "close": _close,
    "merge": _merge,
    "reopen": _reopen,
    "draft": _draft,
    "label": _label,
}


def _events(pull: Pull) -> list[tuple[datetime, str, object]]:
    """The conversation in its order: commits as they came, and comments."""
    rows: list[tuple[datetime, str, object]] = [(pull.created_at, "commit", sha) for sha in pull.commits[1:2]]
    rows += [(each.created_at, "comment", each) for each in pull.comments]
    return rows


def _deployments(repository: Repository, pull: Pull) -> list[tuple[object, object]]:
    mine = [each for each in repository.deployments if each.sha in pull.commits]
    return [(each, each.statuses[-1] if each.statuses else None) for each in reversed(mine)]


def _page(template: str, **facts: object) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(**facts))


def _missing() -> Response:
    return PlainTextResponse("Not Found", 404)
