"""The ``Hub`` port, method by method: which endpoint, and what its answer means in core's words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from weakref import WeakValueDictionary

import httpx
from pydantic import TypeAdapter

from previewbot.adapters.github.client import Request
from previewbot.adapters.github.comments import Comments
from previewbot.adapters.github.credentials import AppCredentials, AppDescription
from previewbot.adapters.github.deliveries import never_arrived
from previewbot.adapters.github.installed import Installed
from previewbot.adapters.github.shapes import (
    ChangedFile,
    DeliveryShape,
    DeploymentShape,
    DeploymentStatusShape,
    PermissionShape,
    Pull,
)
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import Permission, Person, PullRequest, Repository
from previewbot.ports import Allowance, Clock, Credential, DeploymentState, FailedDelivery, PullSummary, Reaction

_GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
_ROLES = {
    "none": Permission.NONE,
    "read": Permission.READ,
    "triage": Permission.READ,
    "write": Permission.WRITE,
    "maintain": Permission.WRITE,
    "admin": Permission.ADMIN,
}

_PULL = TypeAdapter(Pull)
_PULLS = TypeAdapter(list[Pull])
_FILES = TypeAdapter(list[ChangedFile])
_PERMISSION = TypeAdapter(PermissionShape)
_DEPLOYMENT = TypeAdapter(DeploymentShape)
_DEPLOYMENTS = TypeAdapter(list[DeploymentShape])
_STATUSES = TypeAdapter(list[DeploymentStatusShape])
_DELIVERIES = TypeAdapter(list[DeliveryShape])


class GitHubHub:
    """GitHub through its REST API, as the App. Make one per process, and close it."""

    def __init__(
        self, credentials: AppCredentials, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """``transport`` replaces the pool of connections; it is closed by ``aclose``."""
        self._installed = Installed(credentials, clock=clock, transport=transport)
        self._comments = Comments(self._installed)
        self._deploying: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._installed.aclose()

    async def describe(self) -> AppDescription:
        """Read what GitHub says of the App; ``Refused`` where it does not accept its key."""
        return await self._installed.describe()

    def allowance(self) -> Allowance:
        """Say what is left of GitHub's limits."""
        return self._installed.allowance()

    async def credential(self, repository: Repository) -> Credential:
        """Give what opens a repository over HTTP for ten more minutes."""
        return await self._installed.credential(repository)

    async def repository(self, id: int) -> Repository | None:
        """Find a repository in which the App is installed; ``None`` only if GitHub confirms that it is not."""
        return await self._installed.directory.find(id)

    async def repositories(self) -> Sequence[Repository]:
        """List every repository of every installation that is not suspended."""
        return await self._installed.directory.all()

    async def pull(self, repository: Repository, number: int) -> PullRequest | None:
        """Read one pull request; ``None`` if GitHub says that it does not exist."""
        answer = await self._installed.call(repository, "GET", f"pulls/{number}", allow=_GONE)
        if not answer.response.is_success:
            return None
        found = answer.read(_PULL)
        if found.base.repo is not None and found.base.repo.id != repository.id:
            self._installed.directory.distrust(repository.id)
            raise Transient(f"another repository is called {repository.full_name} now")
        return _pull_request(self._installed.directory.known(repository), found)

    async def open_pulls(self, repository: Repository) -> Sequence[PullSummary]:
        """List the open pull requests of a repository."""
        found: list[PullSummary] = []
        async for answer in self._installed.listing(repository, "pulls", state="open"):
            found += [PullSummary(Key(repository.id, each.number), each.head.sha) for each in answer.read(_PULLS)]
        return found

    async def permission(self, repository: Repository, login: str) -> Permission:
        """Say what a person may do there now; ``NONE`` for strangers and for names that GitHub does not know."""
        if login in {"", ".", ".."}:
            return Permission.NONE
        path = f"collaborators/{quote(login, safe='', errors='replace')}/permission"
        answer = await self._installed.call(repository, "GET", path, allow=_GONE)
        if not answer.response.is_success:
            return Permission.NONE
        found = answer.read(_PERMISSION)
        # A custom role has a name of its own; the older field then says what it amounts to.
        return _ROLES.get(found.role_name or "") or _ROLES.get(found.permission, Permission.NONE)

    async def changed_paths(self, pull: PullRequest) -> Sequence[str]:
        """List the paths that a pull request changes, old names included; GitHub stops at 3,000 files."""
        found: dict[str, None] = {}
        async for answer in self._installed.listing(pull.repository, f"pulls/{pull.key.number}/files"):
            for each in answer.read(_FILES):
                found |= dict.fromkeys(path for path in (each.filename, each.previous_filename) if path)
        return list(found)

    async def comment(self, pull: PullRequest, marker: str, body: str, *, known: int | None, final: bool) -> int | None:
        """Create or edit the one comment that carries ``marker``; ``None`` where the budget holds the text back."""
        return await self._comments.write(pull, marker, body, known=known, final=final)

    async def deploy(self, pull: PullRequest, *, environment: str) -> int:
        """Find or create the deployment of the head commit to ``environment``, and return its id."""
        async with self._deploying.setdefault(pull.key, asyncio.Lock()):
            found = await self._find_deployment(pull, environment)
            if found is not None:
                return found
            self._installed.afford(pull.repository, f"deployments {pull.key.number}", final=True)
            body = {
                "ref": pull.head_commit,
                "environment": environment,
                "description": f"Preview of pull request {pull.key.number}",
                "auto_merge": False,
                "required_contexts": [],
                "transient_environment": True,
                "production_environment": False,
                "payload": _payload(pull),
            }
            answer = await self._installed.call(pull.repository, "POST", "deployments", body=body)
            return answer.read(_DEPLOYMENT).id

    async def standing(self, pull: PullRequest, *, environment: str) -> Sequence[int]:
        """List the deployments of a pull request to ``environment`` that GitHub does not show as inactive."""
        found: list[int] = []
        async for answer in self._installed.listing(pull.repository, "deployments", environment=environment):
            # Somebody else's may have the same environment, and no App's name.
            ours = [
                each for each in answer.read(_DEPLOYMENTS) if self._is_ours(each) and each.payload == _payload(pull)
            ]
            found += [each.id for each in ours if await self._is_standing(pull.repository, each.id)]
        return found

    async def report(
        self, repository: Repository, deployment: int, state: DeploymentState, *, url: str | None, log_url: str | None
    ) -> None:
        """Add a status to a deployment; one that somebody deleted is fine."""
        path = f"deployments/{deployment}/statuses"
        self._installed.afford(repository, path, final=True)
        links = {"environment_url": url, "log_url": log_url}
        body = {"state": state.value, "auto_inactive": False} | {name: link for name, link in links.items() if link}
        await self._installed.call(repository, "POST", path, body=body, allow=_GONE)

    async def react(self, repository: Repository, comment: int, reaction: Reaction) -> None:
        """Put a reaction on a comment; a comment that is gone is fine."""
        path = f"issues/comments/{comment}/reactions"
        self._installed.afford(repository, path, final=True)
        await self._installed.call(repository, "POST", path, body={"content": reaction.value}, allow=_GONE)

    async def failed_deliveries(self, since: datetime) -> Sequence[FailedDelivery]:
        """List deliveries whose every attempt failed since then, oldest first."""
        attempts: list[DeliveryShape] = []
        query = {"per_page": "100"}
        while True:
            answer = await self._installed.as_app(Request("GET", "app/hook/deliveries", query))
            page = answer.read(_DELIVERIES)
            attempts += page
            if not answer.next or not page or page[-1].delivered_at < since:
                return never_arrived(attempts, since)
            query = dict(answer.next)

    async def redeliver(self, delivery: FailedDelivery) -> None:
        """Ask GitHub to send a delivery again; one that it has forgotten is fine."""
        await self._installed.as_app(Request("POST", f"app/hook/deliveries/{delivery.id}/attempts"), allow=_GONE)

    async def _find_deployment(self, pull: PullRequest, environment: str) -> int | None:
        query = {"sha": pull.head_commit, "environment": environment}
        async for answer in self._installed.listing(pull.repository, "deployments", **query):
            for each in answer.read(_DEPLOYMENTS):
                if self._is_ours(each):
                    return each.id
        return None

    def _is_ours(self, deployment: DeploymentShape) -> bool:
        app = deployment.performed_via_github_app
        return app is None or app.id in {None, self._installed.app_id}

    async def _is_standing(self, repository: Repository, deployment: int) -> bool:
        path = f"deployments/{deployment}/statuses"
        answer = await self._installed.call(repository, "GET", path, allow=_GONE)
        if not answer.response.is_success:
            return False
        newest = answer.read(_STATUSES)[:1]
        return not newest or newest[0].state != DeploymentState.INACTIVE


def _payload(pull: PullRequest) -> Mapping[str, Any]:
    """What a deployment tells of itself, and is known again by."""
    return {"pull_request": pull.key.number}


def _pull_request(repository: Repository, found: Pull) -> PullRequest:
    head = found.head.repo
    return PullRequest(
        key=Key(repository.id, found.number),
        repository=repository,
        title=found.title or "",
        author=Person(found.user.login, found.user.type == "Bot") if found.user else Person("ghost"),
        is_open=found.state == "open",
        is_merged=bool(found.merged or found.merged_at),
        is_draft=bool(found.draft),
        labels=frozenset(label.name for label in found.labels),
        base_branch=found.base.ref,
        head_branch=found.head.ref,
        head_commit=found.head.sha,
        head_repository=head.id if head else None,
        head_full_name=head.full_name if head else None,
        closed_at=found.closed_at,
    )
