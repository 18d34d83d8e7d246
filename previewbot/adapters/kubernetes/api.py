"""Talking to a cluster's API server: plain dictionaries in and out, and its errors in core's words.

Objects are written by server-side apply with strict validation and previewbot's own field manager; what the API
answers is described at https://kubernetes.io/docs/reference/using-api/api-concepts/ and …/server-side-apply/.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from previewbot.adapters.kubernetes.answers import Conflict, Missing, Stale, Taken, read_error, unknown
from previewbot.adapters.kubernetes.connection import Connection, Conversation, Request
from previewbot.adapters.kubernetes.kinds import POD, Kind, Thing, is_ending, kind_of
from previewbot.adapters.kubernetes.names import MANAGER
from previewbot.core.errors import Refused, Transient

_APPLY = "application/apply-patch+yaml"
_STREAMS = tuple((each, "true") for each in ("stdin", "stdout", "stderr"))
_WATCH_SECONDS = 290
_SILENCE = 120
"""Seconds without even a bookmark (one comes every minute), and a watch counts as cut off."""

_PAUSES = (0.02, 0.1, 0.5)
"""Seconds before a write is tried again that met another one: admission counts a quota up by one write at a time."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects, and the version of the whole that a watch goes on from."""

    things: tuple[Thing, ...]
    version: str


class Api:
    """The objects of one API server."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = connection.name
        """Where it is, for people."""

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Thing | None:
        """Read one object; ``None`` where it is not there."""
        try:
            return await self.connection.object(
                Request("GET", kind.path(namespace, name), deed=f"show the {kind.name} {name}")
            )
        except Missing:
            return None

    async def list(self, kind: Kind, namespace: str | None = None, **query: str) -> Listing:
        """List objects; queries are ``labelSelector`` and its like."""
        try:
            found = await self.connection.object(
                Request("GET", kind.path(namespace), query=query, deed=f"list {kind.plural}")
            )
        except Missing as missing:
            raise unknown(kind) from missing
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        things = tuple(head | each for each in found.get("items") or ())
        return Listing(things, found.get("metadata", {}).get("resourceVersion", ""))

    async def apply(self, thing: Thing) -> Thing:
        """Make an object what a manifest says, and take every field in it back from whoever changed it."""
        kind, about = kind_of(thing), thing["metadata"]
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        path, deed = kind.path(about.get("namespace"), about["name"]), f"write the {kind.name} {about['name']}"
        try:
            return await self._write(Request("PATCH", path, query=query, body=thing, content=_APPLY, deed=deed))
        except Missing as missing:
            told = f"The {kind.name} {about['name']} cannot be written: what it belongs to is gone."
            raise Transient(told) from missing

    async def create(self, thing: Thing) -> Thing | None:
        """Make an object that must not be there yet; ``None`` where one of that name is."""
        kind, about = kind_of(thing), thing["metadata"]
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        path, deed = kind.path(about.get("namespace")), f"make the {kind.name} {about['name']}"
        try:
            return await self._write(Request("POST", path, query=query, body=thing, deed=deed))
        except Taken:
            return None
        except Missing as missing:
            raise unknown(kind) from missing

    async def _write(self, request: Request) -> Thing:
        """Write an object; who was faster with something else, such as the count of a quota, is let past."""
        for pause in _PAUSES:
            try:
                return await self.connection.object(request)
            except Taken:
                raise
            except Conflict:
                await asyncio.sleep(pause)
        return await self.connection.object(request)

    async def replace(self, found: Thing, thing: Thing) -> None:
        """Make an object nothing but what a manifest says; one that is gone is left to whoever makes it."""
        kind, about = kind_of(thing), dict(thing["metadata"])
        if kind.custom:  # the API server replaces no such object unseen
            about["resourceVersion"] = found["metadata"]["resourceVersion"]
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        path, deed = kind.path(about.get("namespace"), about["name"]), f"write the {kind.name} {about['name']}"
        try:
            await self.connection.object(
                Request("PUT", path, query=query, body={**thing, "metadata": about}, deed=deed)
            )
        except Missing:
            return

    async def delete(self, thing: Thing, *, grace: timedelta | None = None) -> Thing | None:
        """Delete exactly this object and what it owns; ``None`` where it is gone or another has its name.

        Gives the object where its end takes time, else the server's word that it is gone.
        """
        kind, about = kind_of(thing), thing["metadata"]
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": about["uid"]},
        }
        if grace is not None:
            body["gracePeriodSeconds"] = int(grace.total_seconds())
        path, deed = kind.path(about.get("namespace"), about["name"]), f"delete the {kind.name} {about['name']}"
        try:
            return await self.connection.object(Request("DELETE", path, body=body, deed=deed))
        except Missing:
            return None
        except Conflict as conflict:
            return await self._after(conflict, kind, about)

    async def _after(self, conflict: Conflict, kind: Kind, about: Thing) -> Thing | None:
        """Find out what a deletion met: another object of that name, one that is ending already, or bad luck."""
        named = await self.list(kind, about.get("namespace"), fieldSelector=f"metadata.name={about['name']}")
        same = next((each for each in named.things if each["metadata"]["uid"] == about["uid"]), None)
        if same is None or is_ending(same):
            return same
        raise conflict

    async def logs(self, namespace: str, pod: str, *, container: str, lines: int, limit: int) -> bytes:
        """Read the last lines of a container; empty where there are none."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(limit)}
        try:
            return await self.connection.send(Request("GET", POD.path(namespace, pod, "log"), query=query))
        except (Transient, Refused, Missing, Stale):
            return b""

    async def converse(
        self, namespace: str, pod: str, command: Sequence[str], *, container: str | None = None
    ) -> Conversation:
        """Run a command in a pod and talk with it; raises ``Missing`` where there is no such pod that runs."""
        query = [("command", each) for each in command] + [("container", each) for each in (container,) if each]
        deed = f"run {command[0]} in the pod {pod}"
        return await self.connection.converse(
            Request("GET", POD.path(namespace, pod, "exec"), deed=deed), [*query, *_STREAMS]
        )

    async def version(self) -> str:
        """Say what it runs."""
        try:
            found = await self.connection.object(Request("GET", "/version", deed="tell its version"))
        except Missing:
            found = {}
        return str(found.get("gitVersion", "of an unknown version"))

    async def knows(self, kind: Kind) -> bool:
        """Ask whether there are things of a kind at all."""
        group = f"/apis/{kind.group}" if kind.group else "/api"
        try:
            found = await self.connection.object(
                Request("GET", f"{group}/{kind.version}", deed="tell which kinds it knows")
            )
        except Missing:
            return False
        return any(each.get("name") == kind.plural for each in found.get("resources") or ())

    async def may(self, verb: str, kind: Kind, subresource: str = "") -> bool:
        """Ask whether we may do a thing to a kind, in every namespace."""
        attributes = {"verb": verb, "group": kind.group, "resource": kind.plural, "subresource": subresource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        try:
            found = await self.connection.object(Request("POST", path, body=body, deed="tell what previewbot may do"))
        except Missing:
            return False
        return bool(found.get("status", {}).get("allowed"))

    async def watch(
        self, kind: Kind, version: str, selector: str, *, namespace: str | None = None
    ) -> AsyncIterator[tuple[str, Thing]]:
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
        deed = f"tell what becomes of {kind.plural}"
        try:
            response = await self.connection.open(
                Request("GET", kind.path(namespace), query=query, timeout=timeout, deed=deed)
            )
        except Missing as missing:
            raise unknown(kind) from missing
        try:
            async with aclosing(_lines(response)) as lines:
                async for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _told(event["object"], kind, deed)
                    yield event["type"], {"apiVersion": kind.api_version, "kind": kind.name} | event["object"]
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return  # cut off: the next watch goes on from where this one was
        finally:
            _abort(response)


def _told(status: Thing, kind: Kind, deed: str) -> Exception:
    """What a watch says instead of going on."""
    error = read_error(int(status.get("code") or 500), json.dumps(status).encode(), deed)
    return unknown(kind) if isinstance(error, Missing) else error


def _abort(response: aiohttp.ClientResponse) -> None:
    """End a stream at once: a polite end of TLS would wait for a server that has nothing more to say."""
    if response.connection and response.connection.transport:
        response.connection.transport.abort()
    response.close()


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """Cut a stream into lines of any length."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
