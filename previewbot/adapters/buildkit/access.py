"""Getting in: what a registry asks for with a 401, and the token that its token server gives for it.

See the distribution project's documents on the authentication of registries: a challenge names a realm, a service and
a scope; a login is exchanged there for a token that opens just this scope for some minutes.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from previewbot.adapters.buildkit.answers import OPERATOR, judge, nonsense
from previewbot.adapters.buildkit.login import Login, LoginSource
from previewbot.core.errors import Refused
from previewbot.core.model import Reason

_PAIR = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_SHORTEST = 60
"""Seconds that a token holds where the server names no time: the documented default."""
_MARGIN = 15
"""Seconds before its end at which a token is not used any more."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that a registry offers."""

    scheme: str
    parameters: Mapping[str, str]


def read_challenges(headers: httpx.Headers) -> list[Challenge]:
    """Read the ways in, each in a header of its own."""
    made = []
    for line in headers.get_list("www-authenticate"):
        scheme, _, rest = line.strip().partition(" ")
        pairs = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(rest)}
        made.append(Challenge(scheme.lower(), pairs))
    return made


@dataclass(frozen=True, slots=True)
class _Pass:
    header: str
    ends: float


class Access(httpx.Auth):
    """Answers challenges, and keeps what it got for the next request of the same kind.

    A login goes without encryption only to the host that is spoken to without it anyway.
    """

    def __init__(self, logins: LoginSource) -> None:
        self._logins = logins
        self._passes: dict[tuple[str, str], _Pass] = {}

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Try with what is there; let in by a challenge, try once more."""
        kind = _kind(request)
        known = self._passes.get(kind)
        if known and known.ends > time.monotonic():
            request.headers["Authorization"] = known.header
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        self._passes.pop(kind, None)
        login = self._logins.read()
        for challenge in read_challenges(response.headers):
            if challenge.scheme == "basic" and login:
                made = _Pass(f"Basic {login.basic}", float("inf"))
            elif challenge.scheme == "bearer":
                answer = yield self._token_request(challenge, request, login)
                await answer.aread()
                made = _read_token(answer, request)
            else:
                continue
            self._passes[kind] = made
            request.headers["Authorization"] = made.header
            yield request
            return

    def _token_request(self, challenge: Challenge, request: httpx.Request, login: Login | None) -> httpx.Request:
        realm = challenge.parameters.get("realm", "")
        try:
            url = httpx.URL(realm)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in {"http", "https"} or not url.host:
            raise nonsense(request.url.host, "it sends to a token server without an address")
        if url.scheme != "https" and (request.url.scheme, request.url.host) != ("http", url.host):
            said = f"The registry {request.url.host} sends credentials to {url.host} without encryption"
            raise Refused(Reason.RUNTIME_REFUSED, f"{said}: {OPERATOR} has to mend its token server's address.")
        asked = {name: challenge.parameters[name] for name in ("service", "scope") if name in challenge.parameters}
        headers = {"Authorization": f"Basic {login.basic}"} if login else {}
        return httpx.Request("GET", url.copy_merge_params(asked), headers=headers, extensions=request.extensions)


def _kind(request: httpx.Request) -> tuple[str, str]:
    """What a pass opens: reading, writing or deleting in one repository."""
    method = "GET" if request.method == "HEAD" else request.method
    return method, re.split(r"/(?:manifests|blobs|tags)/", request.url.path, maxsplit=1)[0]


def _read_token(answer: httpx.Response, request: httpx.Request) -> _Pass:
    if not answer.is_success:
        raise judge(answer, repository=_kind(request)[1].removeprefix("/v2/"), doing="a login")
    try:
        said: dict[str, Any] = answer.json()
        token = said.get("token") or said.get("access_token")
        seconds = float(said.get("expires_in") or _SHORTEST)
    except (ValueError, TypeError, AttributeError, RecursionError):
        token, seconds = None, 0.0
    if not isinstance(token, str) or not token.isprintable() or not token.isascii():
        raise nonsense(answer.url.host, "its token server gives no token")
    return _Pass(f"Bearer {token}", time.monotonic() + seconds - _MARGIN)
