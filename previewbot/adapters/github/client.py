"""One request to GitHub at a time, sent through one pool of connections and judged. It knows no endpoint by name."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import anyio
import httpx
import structlog
from githubkit import GitHubCore
from githubkit.exception import RequestError, RequestFailed
from pydantic import TypeAdapter, ValidationError

from previewbot.adapters.github.weather import judge
from previewbot.core.errors import Transient
from previewbot.ports import Clock

T = TypeVar("T")

_TIMEOUT = httpx.Timeout(20, connect=5)
_LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=30)
_PAUSES = (0.1, 0.4)
"""Seconds before each retry of a request that may safely be sent again."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_VERSION = {"X-GitHub-Api-Version": "2022-11-28"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``path`` has no leading slash, and whatever came from people is quoted in it already."""

    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        """Say it as people do: ``GET /app``."""
        return f"{self.method} /{self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that its caller knows how to read."""

    response: httpx.Response
    what: str

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def next(self) -> Mapping[str, str] | None:
        """The query of the next page, where the answer names one."""
        link = self.response.links.get("next", {}).get("url")
        return dict(httpx.URL(link).params) if link else None

    def read(self, shape: TypeAdapter[T]) -> T:
        """Read the body; anything but JSON of that shape is GitHub being unwell: ``Transient``."""
        try:
            return shape.validate_python(self.response.json())
        except ValidationError as flaw:
            where = ".".join(str(part) for part in flaw.errors(include_input=False)[0]["loc"])
            raise Transient(
                f"GitHub's answer to {self.what} has an unexpected shape at {where or 'its root'}"
            ) from None
        except (ValueError, RecursionError):
            raise Transient(f"GitHub's answer to {self.what} is not JSON") from None


class SharedTransport(httpx.AsyncBaseTransport):
    """A pool that outlives the short-lived clients which githubkit makes for each call, and closes, again and again."""

    def __init__(self, pool: httpx.AsyncBaseTransport) -> None:
        """``pool`` is what really sends; whoever made this closes it with ``release``."""
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send through the pool."""
        return await self._pool.handle_async_request(request)

    async def aclose(self) -> None:
        """Do nothing: the next call wants the same connections."""

    async def release(self) -> None:
        """Close the pool for good."""
        await self._pool.aclose()


class Client:
    """Sends requests with a bearer token; retries what may be sent again; raises ``Transient`` or ``Refused``."""

    def __init__(self, api_url: str, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """``transport`` replaces the pool of connections, and is closed with it."""
        self._clock = clock
        self._transport = SharedTransport(transport or _pool(api_url))
        self._github = GitHubCore(
            base_url=api_url,
            user_agent="previewbot",
            follow_redirects=False,
            timeout=_TIMEOUT,
            async_transport=self._transport,
            http_cache=False,
            auto_retry=False,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.release()

    async def send(self, request: Request, token: str) -> Answer:
        """Send a request, and again where it failed without doing anything; any status is an answer.

        A body that breaks off, a time-out and a lost connection are ``Transient``.
        """
        for pause in _PAUSES:
            try:
                response = await self._once(request, token)
            except RequestError as error:
                if not _may_repeat(request, error.exc):
                    raise _unreachable(request, error.exc) from None
            else:
                if not _is_hiccup(request, response):
                    return Answer(response, str(request))
            await anyio.sleep(pause)
        try:
            return Answer(await self._once(request, token), str(request))
        except RequestError as error:
            raise _unreachable(request, error.exc) from None

    async def call(self, request: Request, token: str, *, allow: Collection[int] = ()) -> Answer:
        """Send, and raise for every status that is neither a success nor in ``allow``."""
        return self.check(await self.send(request, token), allow)

    def check(self, answer: Answer, allow: Collection[int] = ()) -> Answer:
        """Raise for a status that is neither a success nor in ``allow``."""
        if answer.response.is_success or answer.status in allow:
            return answer
        raise judge(answer.response, self._clock.now(), answer.what)

    async def _once(self, request: Request, token: str) -> httpx.Response:
        began = time.perf_counter()
        try:
            answer = await self._github.arequest(
                request.method,
                f"/{request.path}",
                params=dict(request.params),
                json=request.body,
                headers={**_VERSION, "Authorization": f"Bearer {token}"},
            )
            response = answer.raw_response
        except RequestFailed as failed:
            response = failed.response.raw_response
        except (ValueError, OverflowError, OSError):
            # githubkit reads the headers of a rate limit as numbers, and lets go of what it raises on others.
            raise Transient(f"GitHub limits {request}", retry_after=timedelta(minutes=1)) from None
        ms = round((time.perf_counter() - began) * 1000)
        log.debug("github answered", method=request.method, path=request.path, status=response.status_code, ms=ms)
        return response


def _unreachable(request: Request, error: Exception) -> Transient:
    return Transient(f"GitHub could not be reached for {request}: {type(error).__name__}")


def _may_repeat(request: Request, error: Exception) -> bool:
    """A request that was never sent may be sent again; one that was, only where it changes nothing."""
    return isinstance(error, _NEVER_SENT) or (request.method == "GET" and not isinstance(error, httpx.TimeoutException))


def _is_hiccup(request: Request, response: httpx.Response) -> bool:
    return request.method == "GET" and response.is_server_error and "retry-after" not in response.headers


def _pool(api_url: str) -> httpx.AsyncHTTPTransport:
    """Open a pool that goes through the proxy of the environment, which httpx forgets once given a transport."""
    url = httpx.URL(api_url)
    proxy = None if urllib.request.proxy_bypass(url.host) else urllib.request.getproxies().get(url.scheme)
    return httpx.AsyncHTTPTransport(limits=_LIMITS, proxy=proxy)
