"""Asking a cluster's API server: one request, one answer, and what goes wrong on the way in core's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from kubernetes.aio.client import ApiClient

from previewbot.adapters.kubernetes.answers import read_error
from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.core.errors import Transient

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_LAST_TURNS = 0.05
"""Seconds in which aiohttp ends its TLS connections, after it said that they are closed."""
_CHANNELS = ("v4.channel.k8s.io",)
_HEARTBEAT = 30
_NO_EXEC = "previewbot's account may not (pods/exec). The chart grants it where config.buildkit.address names the pod."

Conversation = aiohttp.ClientWebSocketResponse
"""Messages to and from a command in a pod."""

Renew = Callable[[], Awaitable[bool]]
"""Gets another proof of who we are, where the cluster did not take the last one; says whether there is one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the API server."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content: str = "application/json"
    timeout: aiohttp.ClientTimeout = _TIMEOUT
    deed: str = "answer"
    """What that means, for people: ``write the Deployment web-1``."""


class Connection:
    """The way to one API server, with one pool of connections."""

    def __init__(self, client: ApiClient, name: str, renew: Renew | None = None) -> None:
        self._client = client
        self.name = name
        """Where it is, for people."""
        self._renew = renew

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await asyncio.sleep(_LAST_TURNS)

    async def object(self, request: Request) -> Thing:
        """Ask, and read the answer as JSON; raises what ``answers.read_error`` says."""
        try:
            read: Thing = json.loads(await self.send(request))
        except ValueError as error:
            raise Transient(f"The cluster's API at {self.name} answers nonsense.") from error
        return read

    async def send(self, request: Request) -> bytes:
        """Ask, and read the whole answer."""
        response = await self.open(request)
        try:
            return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error

    async def open(self, request: Request) -> aiohttp.ClientResponse:
        """Ask, and leave the answer to be read; with another proof of who we are where the last one is not taken."""
        response = await self._ask(request)
        if response.status == HTTPStatus.UNAUTHORIZED and self._renew and await self._renew():
            response.release()
            response = await self._ask(request)
        if response.status < HTTPStatus.BAD_REQUEST:
            return response
        try:
            said = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            said = b""
        raise read_error(response.status, said, request.deed, retry_after=response.headers.get("Retry-After"))

    async def _ask(self, request: Request) -> aiohttp.ClientResponse:
        try:
            prepared = await self._client.param_serialize(
                request.method,
                request.path,
                query_params=list(request.query.items()),
                header_params={"Accept": "application/json", "Content-Type": request.content},
                body=request.body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*prepared, _request_timeout=request.timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._away(error) from error
        response: aiohttp.ClientResponse = answer.response
        return response

    def _away(self, error: Exception) -> Transient:
        return Transient(f"The cluster's API at {self.name} does not answer ({type(error).__name__}).")

    async def converse(self, request: Request, options: Sequence[tuple[str, str]]) -> Conversation:
        """Open a conversation; ``options`` is the query, whose names may come more than once."""
        for is_last in (False, True):
            prepared = await self._client.param_serialize(
                request.method, request.path, query_params=list(options), auth_settings=["BearerToken"]
            )
            client = self._client.rest_client
            client.pool_manager = client.pool_manager or client._create_pool_manager()  # noqa: SLF001 - as it does itself
            try:
                return await client.pool_manager.ws_connect(
                    prepared[1], headers=prepared[2], protocols=_CHANNELS, heartbeat=_HEARTBEAT, max_msg_size=0
                )
            except aiohttp.WSServerHandshakeError as error:
                if error.status == HTTPStatus.UNAUTHORIZED and not is_last and self._renew and await self._renew():
                    continue
                said = _NO_EXEC if error.status == HTTPStatus.FORBIDDEN else ""
                raise read_error(error.status, said.encode(), request.deed) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise self._away(error) from error
        raise AssertionError
