"""A GitHub whose every answer a test writes down: for the weather that a well-behaved server never makes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.core.ids import Key
from previewbot.core.model import Person, PullRequest, Repository

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHOP = Repository(7, "acme/shop", 1, "https://github.test/acme/shop.git")
PULL = PullRequest(
    key=Key(7, 42),
    repository=SHOP,
    title="",
    author=Person("ada"),
    is_open=True,
    is_merged=False,
    is_draft=False,
    labels=frozenset(),
    base_branch="main",
    head_branch="topic",
    head_commit="a" * 40,
    head_repository=7,
)
KEY = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    .decode()
)


class FixedClock:
    """Shows the time that a test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def json(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    """An answer; underscores in header names become hyphens."""
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): each for name, each in headers.items()})


def token(number: int = 1, *, hours: int = 1) -> httpx.Response:
    """A fresh installation token."""
    return json({"token": f"token-{number}", "expires_at": (NOW + timedelta(hours=hours)).isoformat()}, 201)


class Scripted(httpx.AsyncBaseTransport):
    """Answers each ``METHOD /path`` with what was written for it, the last answer again and again."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.closed = 0
        self._replies: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self.on("POST /app/installations/1/access_tokens", token())
        self.on("GET /app/installations", json([{"id": 1, "suspended_at": None}]))
        self.on("GET /installation/repositories", json({"total_count": 1, "repositories": [shop()]}))
        self.on("GET /repos/acme/shop/installation", json({"id": 1}))

    def on(self, what: str, *replies: Reply) -> None:
        """Write down what follows, in place of what was written before."""
        self._replies[what] = deque(replies)

    def sent(self, what: str) -> list[httpx.Request]:
        """The requests of one kind so far."""
        return [each for each in self.requests if _name(each) == what]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        replies = self._replies[_name(request)]
        if not replies:
            return json({"message": f"nothing is written for {_name(request)}"}, 418)
        reply = replies.popleft() if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        answer = reply(request) if callable(reply) else reply
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def aclose(self) -> None:
        self.closed += 1


def shop(**other: Any) -> dict[str, Any]:
    """The repository that everything here is about, in GitHub's words."""
    return {"id": 7, "full_name": "acme/shop", "clone_url": SHOP.clone_url, **other}


def pull(**other: Any) -> dict[str, Any]:
    """Its pull request, in GitHub's words."""
    side = {"ref": "topic", "sha": "a" * 40, "repo": shop()}
    return {
        "number": 42,
        "state": "open",
        "title": "A title",
        "user": {"login": "ada"},
        "head": side,
        "base": side,
    } | other


def hub(transport: httpx.AsyncBaseTransport, clock: FixedClock | None = None, key: str = KEY) -> GitHubHub:
    """A client of it."""
    return GitHubHub(
        AppCredentials(12345, key, "https://github.test/api/v3"), clock=clock or FixedClock(), transport=transport
    )


def _name(request: httpx.Request) -> str:
    path = request.url.raw_path.decode().split("?")[0]
    return f"{request.method} {path.removeprefix('/api/v3')}"
