"""A registry in memory, answered without a socket: manifests, blobs, tags in pages, and a token server before it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx

HOST = "registry.test"
LOGIN = ("robot", "s3cret")
_TOKENS = "tokens.test"
_ROUTE = re.compile(r"/v2/(?P<repository>.+?)/(?P<kind>manifests|blobs|tags)/(?P<name>.+)")
_ACTIONS = {"GET": "pull", "HEAD": "pull", "PUT": "push", "POST": "push", "PATCH": "push", "DELETE": "delete"}


@dataclass
class FakeRegistry(httpx.AsyncBaseTransport):
    """Wants a token for each action, which its token server gives to the one login that it knows."""

    page: int = 100
    deletes: bool = True
    public: bool = False
    """Whether strangers may pull."""
    refused: frozenset[str] = frozenset()
    """Actions that the login has no right to."""
    requests: list[httpx.Request] = field(default_factory=list)
    answers: dict[str, httpx.Response | Exception] = field(default_factory=dict)
    """What to answer instead, by ``METHOD kind``."""
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    """Repository and tag to digest."""
    content: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    """Repository and digest to bytes and media type."""
    tokens: int = 0
    """How many tokens were given."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        if request.url.host == _TOKENS:
            return self._give_token(request)
        found = _ROUTE.fullmatch(request.url.path)
        told = self.answers.get(f"{request.method} {found['kind'] if found else ''}")
        if isinstance(told, Exception):
            raise told
        if told is not None:
            return httpx.Response(told.status_code, headers=told.headers, content=told.content)
        if not found:
            return _trouble(404, "NAME_UNKNOWN")
        return self._challenge(request, found["repository"]) or self._serve(request, found.groupdict())

    def sent(self, method: str) -> list[httpx.Request]:
        """The requests of a method that came to the registry itself so far."""
        return [each for each in self.requests if each.method == method and each.url.host == HOST]

    # --- who comes --------------------------------------------------------------------------------------------------

    def _give_token(self, request: httpx.Request) -> httpx.Response:
        asked = parse_qs(request.url.query.decode())
        is_stranger = "authorization" not in request.headers
        if is_stranger and self.public and asked["scope"][0].endswith(":pull"):
            pass
        elif request.headers.get("authorization") != f"Basic {base64.b64encode(':'.join(LOGIN).encode()).decode()}":
            return _trouble(401, "UNAUTHORIZED")
        assert asked["service"] == ["a registry"]
        self.tokens += 1
        return httpx.Response(200, json={"token": f"{self.tokens}.{asked['scope'][0]}", "expires_in": 300})

    def _challenge(self, request: httpx.Request, repository: str) -> httpx.Response | None:
        action = _ACTIONS[request.method]
        scope = f"repository:{repository}:{action}"
        given = request.headers.get("authorization", "").partition(".")[2]
        if given == scope and action not in self.refused:
            return None
        wanted = f'Bearer realm="https://{_TOKENS}/token",service="a registry",scope="{scope}"'
        return httpx.Response(401, headers={"www-authenticate": wanted}, json={"errors": [{"code": "UNAUTHORIZED"}]})

    # --- what there is ----------------------------------------------------------------------------------------------

    def _serve(self, request: httpx.Request, found: Mapping[str, str]) -> httpx.Response:
        repository, name = found["repository"], found["name"]
        match request.method, found["kind"]:
            case "GET", "tags":
                return self._list(request, repository)
            case "GET" | "HEAD", _:
                return self._show(request, repository, name)
            case "POST", "blobs":
                return httpx.Response(202, headers={"location": f"/v2/{repository}/blobs/uploads/one"})
            case "PUT", "blobs":
                return httpx.Response(201, headers={"docker-content-digest": self._keep(request, repository)})
            case "PUT", "manifests":
                digest = self.tags[repository, name] = self._keep(request, repository)
                return httpx.Response(201, headers={"docker-content-digest": digest})
            case "DELETE", "manifests":
                return self._delete(repository, name)
            case "DELETE", "blobs":
                return httpx.Response(204)
            case _:
                return _trouble(404, "UNKNOWN")

    def _list(self, request: httpx.Request, repository: str) -> httpx.Response:
        asked = parse_qs(request.url.query.decode())
        after = asked.get("last", [""])[0]
        rest = sorted(tag for place, tag in self.tags if place == repository and tag > after)
        headers = {}
        if len(rest) > self.page:
            headers["link"] = f'<{request.url.path}?last={rest[self.page - 1]}&n={self.page}>; rel="next"'
        return httpx.Response(200, headers=headers, json={"tags": rest[: self.page] or None})

    def _show(self, request: httpx.Request, repository: str, name: str) -> httpx.Response:
        digest = self.tags.get((repository, name), name)
        if (repository, digest) not in self.content:
            return _trouble(404, "MANIFEST_UNKNOWN")
        body, kind = self.content[repository, digest]
        headers = {"docker-content-digest": digest, "content-type": kind}
        return httpx.Response(200, headers=headers, content=b"" if request.method == "HEAD" else body)

    def _keep(self, request: httpx.Request, repository: str) -> str:
        digest = f"sha256:{hashlib.sha256(request.content).hexdigest()}"
        self.content[repository, digest] = (request.content, request.headers.get("content-type", ""))
        return digest

    def _delete(self, repository: str, digest: str) -> httpx.Response:
        if not self.deletes:
            return _trouble(405, "UNSUPPORTED")
        if self.content.pop((repository, digest), None) is None:
            return _trouble(404, "MANIFEST_UNKNOWN")
        self.tags = {place: each for place, each in self.tags.items() if (place[0], each) != (repository, digest)}
        return httpx.Response(202)


def _trouble(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, content=json.dumps({"errors": [{"code": code, "message": code.lower()}]}))
