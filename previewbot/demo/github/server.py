"""The simulated GitHub itself: what people do to it, and the application that serves it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.applications import Starlette
from starlette.types import ASGIApp

from previewbot.demo.github import repository as git
from previewbot.demo.github.faults import Faults
from previewbot.demo.github.hooks import Hooks
from previewbot.demo.github.limits import Limits
from previewbot.demo.github.news import News
from previewbot.demo.github.shapes import Shapes
from previewbot.demo.github.state import App, Comment, Commit, Installation, Pull, Repository, State, new_key, now

DEFAULT_PERMISSIONS = {
    "contents": "read",
    "deployments": "write",
    "issues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
DEFAULT_EVENTS = ["pull_request", "push", "issue_comment", "repository"]


class SimulatedGitHub:
    """One GitHub with one App, installed in every organisation that has a repository.

    Everything that a person can do is a method; each sends the webhook that GitHub would. ``app`` is the ASGI
    application: the API below ``/`` and ``/api/v3``, git over HTTP, and the pages.
    """

    def __init__(
        self,
        root: Path,
        *,
        base_url: str = "http://github.test",
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Repositories lie below ``root``; ``transport`` replaces real HTTP for webhook deliveries."""
        from previewbot.demo.github.routes import routes  # noqa: PLC0415 - they need this very class

        self.root = root.absolute()
        self.base_url = base_url
        permissions, events = dict(DEFAULT_PERMISSIONS), list(DEFAULT_EVENTS)
        app = App(12345, "previewbot", "", secrets.token_hex(20), permissions, events, key=_first_key())
        self.state = State(app, clock)
        self.state.account(app.bot, "Bot")
        self.shapes = Shapes(base_url, self.state)
        self.hooks = Hooks(self.state, changed=self.changed, transport=transport)
        self._news = News(self.state, self.shapes, self.hooks, changed=self.changed)
        self.limits = Limits(self.state.now)
        self.faults = Faults(self.limits)
        self.requests: list[tuple[str, str]] = []
        """Method and path of every API request so far."""
        self.editable: tuple[str, ...] = ()
        """Files that the page lets a person change in a push."""
        self._watchers: set[asyncio.Event] = set()
        self.app: ASGIApp = Starlette(routes=routes(self))

    # --- watching ---------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Wake every page that shows something."""
        for watcher in self._watchers:
            watcher.set()

    async def wait(self, seconds: float) -> None:
        """Wait for the next change, or that long."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(watcher.wait(), seconds)
        finally:
            self._watchers.discard(watcher)

    # --- what people do ---------------------------------------------------------------------------------------------

    def folder(self, repository: Repository) -> Path:
        """Where a repository's git lies."""
        return self.root / f"{repository.id}.git"

    async def create_repository(self, full_name: str, files: git.Files) -> Repository:
        """Make a repository with a first commit on ``main``, and let the App into it."""
        made = Repository(next(self.state.ids), full_name)
        self.state.account(made.owner, "Organization")
        self.state.repositories[made.id] = made
        self.root.mkdir(parents=True, exist_ok=True)
        await git.create(self.folder(made))
        await git.commit(self.folder(made), None, files, "The first commit", refs=["refs/heads/main"])
        self._let_in(made)
        return made

    def _let_in(self, repository: Repository) -> None:
        found = self.state.installations.get(repository.owner)
        if found:
            self._news.selected(found, repository, is_in=True)
        else:
            made = self.state.installations[repository.owner] = Installation(next(self.state.ids), repository.owner)
            self._news.installed(made, [repository], is_in=True)

    async def open_pull(
        self,
        repository: Repository,
        *,
        author: str,
        title: str,
        files: git.Files,
        fork: str | None = None,
        draft: bool = False,
    ) -> Pull:
        """Open a pull request from a new branch; ``fork`` is the full name of another repository it comes from."""
        number = max(repository.pulls, default=0) + 1
        head = await self._fork(repository, fork) if fork else repository
        base = await git.git(self.folder(repository), "rev-parse", "refs/heads/main")
        pull = Pull(
            next(self.state.ids),
            number,
            title,
            author,
            f"change-{number}",
            "main",
            [base],
            self.state.now(),
            head.id,
            draft=draft,
        )
        await self._commit(repository, pull, files, title)
        repository.pulls[number] = pull
        self._news.pull(repository, pull, "opened")
        return pull

    async def push(self, repository: Repository, pull: Pull, files: git.Files, message: str = "Another change") -> str:
        """Push a commit to the branch of a pull request, and return its name."""
        before, head = pull.sha, self._head(pull)
        after = await self._commit(repository, pull, files, message)
        tree = await git.git(self.folder(head), "rev-parse", f"{after}^{{tree}}")
        pushed = Commit(after, tree, message, pull.author, self.state.now(), tuple(files))
        self._news.push(head, pull.head_ref, before, pushed)
        self._news.pull(repository, pull, "synchronize", before=before, after=after)
        return after

    async def _fork(self, repository: Repository, full_name: str) -> Repository:
        """A fork with everything that is on ``main``, where the App is not installed; made if there is none."""
        found = self.state.find(full_name)
        if found is None:
            found = Repository(next(self.state.ids), full_name, is_installed=False, is_fork=True)
            self.state.repositories[found.id] = found
            await git.create(self.folder(found))
        await git.fetch(self.folder(found), self.folder(repository), "refs/heads/main")
        return found

    def _head(self, pull: Pull) -> Repository:
        if pull.head_repository is None:
            raise ValueError("the repository that the pull request comes from is gone")
        return self.state.repositories[pull.head_repository]

    async def _commit(self, repository: Repository, pull: Pull, files: git.Files, message: str) -> str:
        """Commit to the head branch where that lives; the base repository gets the commit, but no branch of a fork."""
        head, branch, asked = self._head(pull), f"refs/heads/{pull.head_ref}", f"refs/pull/{pull.number}/head"
        refs = [branch, asked] if head is repository else [branch]
        made = await git.commit(self.folder(head), pull.sha, files, message, refs=refs)
        if head is not repository:
            await git.fetch(self.folder(repository), self.folder(head), branch, to=asked)
        pull.commits.append(made)
        return made

    def comment(self, repository: Repository, pull: Pull, login: str, body: str) -> Comment:
        """Write a comment."""
        made = Comment(next(self.state.ids), login, body, self.state.now(), self.state.now())
        pull.comments.append(made)
        self._news.comment(repository, pull, made)
        return made

    def close(self, repository: Repository, pull: Pull, *, merge: bool = False) -> None:
        """Close a pull request, or merge it."""
        pull.state, pull.closed_at = "closed", self.state.now()
        pull.merged_at = self.state.now() if merge else None
        self._news.pull(repository, pull, "closed")

    def reopen(self, repository: Repository, pull: Pull) -> None:
        """Open a closed pull request again."""
        pull.state, pull.closed_at = "open", None
        self._news.pull(repository, pull, "reopened")

    def label(self, repository: Repository, pull: Pull, name: str, *, remove: bool = False) -> None:
        """Put a label on a pull request, or take it off."""
        pull.labels = [each for each in pull.labels if each != name] + ([] if remove else [name])
        self._news.pull(repository, pull, "unlabeled" if remove else "labeled", label=self.shapes.label(name))

    def set_draft(self, repository: Repository, pull: Pull, *, draft: bool) -> None:
        """Make a pull request a draft, or ready."""
        pull.draft = draft
        self._news.pull(repository, pull, "converted_to_draft" if draft else "ready_for_review")

    def allow(self, repository: Repository, login: str, permission: str) -> None:
        """Give a person a permission: admin, write, read or none."""
        self.state.account(login)
        repository.permissions[login] = permission

    def rename(self, repository: Repository, full_name: str) -> None:
        """Rename or transfer a repository; its old name leads to it."""
        old, owner = repository.full_name, repository.owner
        self.state.moved[old] = repository.id
        repository.full_name = full_name
        if repository.owner == owner:
            self._news.renamed(repository, old)
        else:
            self._news.transferred(repository, self.state.account(owner))

    def uninstall(self, repository: Repository | None = None) -> None:
        """Take the App out of one repository, or out of everything."""
        if repository is None:
            self._uninstall_all()
            return
        repository.is_installed = False
        self._news.selected(self.state.installations[repository.owner], repository, is_in=False)

    def _uninstall_all(self) -> None:
        for each in list(self.state.installations.values()):
            held = [it for it in self.state.repositories.values() if self.state.installation_of(it) is each]
            self._news.installed(each, held, is_in=False)
            del self.state.installations[each.owner]


@cache
def _first_key() -> RSAPrivateKey:
    """The key of the App that every simulated GitHub begins with: made once, for making one takes a while."""
    return new_key()
