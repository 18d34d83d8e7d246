"""Talking to a cluster's API server: plain dictionaries in and out, and its errors in core's words.

Objects are written by server-side apply with strict validation and previewbot's own field manager; what the API
answers is described at https://kubernetes.io/docs/reference/using-api/api-concepts/ and …/server-side-apply/.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from previewbot.adapters.kubernetes.kinds import POD, Kind, Thing, kind_of
from previewbot.adapters.kubernetes.names import MANAGER
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_APPLY = "application/apply-patch+yaml"
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_AGAIN = (409, 429, 500, 502, 503, 504)
_GONE = 410
_LAST_TURNS = 0.05
"""Seconds in which aiohttp ends its TLS connections, after it said that they are closed."""
_MISSING = 404
_WATCH_SECONDS = 290
_SILENCE = 120
"""Seconds without even a bookmark (one comes every minute), and a watch counts as cut off."""
_QUOTA = "exceeded quota"

ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod finds the token of its service account."""


class Stale(Exception):  # noqa: N818 - named by what happens next: list again
    """A watch cannot go on from where it was."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects, and the version of the whole that a watch goes on from."""

    things: tuple[Thing, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the API server."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content: str = "application/json"
    timeout: aiohttp.ClientTimeout = _TIMEOUT


class Api:
    """One API server, with one pool of connections."""

    def __init__(self, client: ApiClient, name: str) -> None:
        self._client = client
        self.name = name
        """Where it is, for people."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await asyncio.sleep(_LAST_TURNS)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Thing | None:
        """Read one object; ``None`` where it is not there."""
        return await self._object(Request("GET", kind.path(namespace, name)))

    async def list(self, kind: Kind, namespace: str | None = None, **query: str) -> Listing:
        """List objects; queries are ``labelSelector`` and its like."""
        found = await self._object(Request("GET", kind.path(namespace), query=query)) or {}
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        things = tuple(head | each for each in found.get("items") or ())
        return Listing(things, found.get("metadata", {}).get("resourceVersion", ""))

    async def apply(self, thing: Thing) -> Thing:
        """Make an object what a manifest says, and take every field in it back from whoever changed it."""
        kind, about = kind_of(thing), thing["metadata"]
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        path = kind.path(about.get("namespace"), about["name"])
        made = await self._object(Request("PATCH", path, query=query, body=thing, content=_APPLY))
        if made is None:
            raise Transient(f"{kind.name} {about['name']} cannot be written: what it belongs to is gone.")
        return made

    async def create(self, thing: Thing) -> Thing | None:
        """Make an object that must not be there yet; ``None`` where one of that name is."""
        kind, about = kind_of(thing), thing["metadata"]
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        try:
            return await self._object(Request("POST", kind.path(about.get("namespace")), query=query, body=thing))
        except Conflict:
            return None

    async def replace(self, found: Thing, thing: Thing) -> None:
        """Make an object nothing but what a manifest says."""
        about = dict(thing["metadata"])
        if kind_of(thing).custom:  # the API server replaces no such object unseen
            about["resourceVersion"] = found["metadata"]["resourceVersion"]
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        path = kind_of(thing).path(about.get("namespace"), about["name"])
        await self._object(Request("PUT", path, query=query, body={**thing, "metadata": about}))

    async def delete(self, thing: Thing, *, grace: timedelta | None = None) -> Thing | None:
        """Delete exactly this object and what it owns; ``None`` where it is gone or another has its name.

        Gives the object where its end takes time, else the server's word that it is gone.
        """
        about = thing["metadata"]
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": about["uid"]},
        }
        if grace is not None:
            body["gracePeriodSeconds"] = int(grace.total_seconds())
        path = kind_of(thing).path(about.get("namespace"), about["name"])
        try:
            return await self._object(Request("DELETE", path, body=body))
        except Conflict:
            return None

    async def logs(self, namespace: str, pod: str, *, container: str, lines: int, limit: int) -> bytes:
        """Read the last lines of a container; empty where there are none."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(limit)}
        try:
            return await self._send(Request("GET", POD.path(namespace, pod, "log"), query=query))
        except (Transient, Refused, Missing):
            return b""

    async def version(self) -> str:
        """Say what it runs."""
        found = await self._object(Request("GET", "/version")) or {}
        return str(found.get("gitVersion", "of an unknown version"))

    async def may(self, verb: str, kind: Kind, subresource: str = "") -> bool:
        """Ask whether we may do a thing to a kind, in every namespace."""
        attributes = {"verb": verb, "group": kind.group, "resource": kind.plural, "subresource": subresource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        found = await self._object(Request("POST", path, body=body)) or {}
        return bool(found.get("status", {}).get("allowed"))

    async def watch(self, kind: Kind, version: str, selector: str) -> AsyncIterator[tuple[str, Thing]]:
        """Yield what changes from a version on: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, and the object.

        Ends when the server ends it; ``Stale`` where it has forgotten that version.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 30, sock_connect=5, sock_read=_SILENCE)
        try:
            response = await self._open(Request("GET", kind.path(), query=query, timeout=timeout))
        except Gone as gone:
            raise Stale from gone
        try:
            async with aclosing(_lines(response)) as lines:
                async for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise Stale(str(event["object"].get("message")))
                    yield event["type"], {"apiVersion": kind.api_version, "kind": kind.name} | event["object"]
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return  # cut off: the next watch goes on from where this one was
        finally:
            _abort(response)

    async def _object(self, request: Request) -> Thing | None:
        try:
            read: Thing = json.loads(await self._send(request))
        except Missing:
            return None
        except ValueError as error:
            raise Transient(f"The cluster's API at {self.name} answers nonsense.") from error
        return read

    async def _send(self, request: Request) -> bytes:
        response = await self._open(request)
        try:
            return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error

    async def _open(self, request: Request) -> aiohttp.ClientResponse:
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
        if response.status < 400:  # noqa: PLR2004
            return response
        try:
            said = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            said = b""
        raise _error(response.status, said, response.headers.get("Retry-After"), f"{request.method} {request.path}")

    def _away(self, error: Exception) -> Transient:
        return Transient(f"The cluster's API at {self.name} does not answer ({type(error).__name__}).")


def _abort(response: aiohttp.ClientResponse) -> None:
    """End a stream at once: a polite end of TLS would wait for a server that has nothing more to say."""
    if response.connection and response.connection.transport:
        response.connection.transport.abort()
    response.close()


class Conflict(Transient):
    """Somebody else was there first."""


class Gone(Transient):
    """The version that was asked for is forgotten."""


class Missing(Exception):  # noqa: N818 - named by what it says
    """It is not there."""


def _error(status: int, said: bytes, retry_after: str | None, what: str) -> Exception:
    message = _message(said) or f"status {status}"
    if status == _MISSING:
        return Missing(message)
    if status == _GONE:
        return Gone(message)
    if status == 409:  # noqa: PLR2004
        return Conflict(message)
    if status in _AGAIN or status == 401:  # noqa: PLR2004 - 401: a token that is being renewed
        pause = timedelta(seconds=int(retry_after)) if retry_after and retry_after.isdigit() else None
        return Transient(f"The cluster's API cannot do it now: {message}", retry_after=pause)
    if _QUOTA in message:
        return Refused(Reason.QUOTA_EXCEEDED, message)
    if status == 403 and "cannot" in message and "User" in message:  # noqa: PLR2004
        return Transient(f"previewbot lacks a permission in the cluster: {message}")
    return Refused(Reason.RUNTIME_REFUSED, f"The cluster refuses {what.split('/')[-2:]}: {message}"[:600])


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said[:200].decode("utf-8", "replace").strip()


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """Cut a stream into lines of any length."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


def _is_pod() -> bool:
    return ACCOUNT_TOKEN.exists()


async def connect(kubeconfig: Path | None = None, context: str | None = None) -> Api:
    """Open a cluster: that of a kubeconfig, else the one whose pod this is, else the usual kubeconfig's.

    Raises ``Refused`` where none of them can be used.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = 64
    try:
        if kubeconfig is None and _is_pod():
            load_incluster_config(client_configuration=configuration)
        else:
            file = str(kubeconfig) if kubeconfig else None
            await load_kube_config(config_file=file, context=context, client_configuration=configuration)
        client = ApiClient(configuration)
    except (ConfigException, OSError, ssl.SSLError, ValueError, TypeError, KeyError) as error:
        where = kubeconfig or "the usual kubeconfig"
        raise Refused(Reason.RUNTIME_REFUSED, f"The cluster of {where} cannot be used: {error}") from error
    client.user_agent = "previewbot"
    return Api(client, configuration.host)
