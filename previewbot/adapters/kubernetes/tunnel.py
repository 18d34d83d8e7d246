"""A way into one pod: a socket of this machine, each of whose connections ends at a command that runs in there.

It is the ``exec`` of https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#execaction-v1-core over a
WebSocket (``v4.channel.k8s.io``): the first byte of every message says which of the command's streams it belongs to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from previewbot.adapters.kubernetes.answers import Missing
from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.connection import Conversation
from previewbot.core.errors import Refused, Transient

_IN, _OUT, _ERROR, _END = 0, 1, 2, 3
_CHUNK = 64 * 1024
_KEPT = 400


@dataclass(frozen=True, slots=True)
class Inside:
    """A command in a container of a pod; by default in its only one."""

    namespace: str
    pod: str
    command: Sequence[str]
    container: str | None = None


@dataclass(slots=True)
class Way:
    """An open tunnel."""

    address: str
    """Of the socket, as ``unix://…``."""
    trouble: str | None = None
    """What hindered the last connection, where anything did."""
    first: list[Conversation] = field(default_factory=list)
    """What was begun already, for whoever comes first."""


class Tunnel:
    """Leads to a command in a pod; it is run anew for every connection, and ends with it."""

    def __init__(self, api: Api, inside: Inside) -> None:
        self._api = api
        self._inside = inside

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Way]:
        """Open it for as long as the context lasts; ``Transient`` or ``Refused`` where the cluster lets nobody in."""
        first = await self._converse()
        with tempfile.TemporaryDirectory(prefix="previewbot-tunnel-") as folder:
            way = Way(f"unix://{folder}/socket", first=[first])
            running: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

            def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if not server.is_serving():  # it came while the door was shut
                    writer.close()
                    return
                task = asyncio.create_task(self._lead(way, reader, writer))
                running[task] = writer
                task.add_done_callback(running.pop)

            server = await asyncio.start_unix_server(lead, Path(folder) / "socket")
            try:
                yield way
            finally:
                server.close()
                for task, writer in running.items():
                    task.cancel()
                    writer.close()  # a task that has not begun closes nothing
                await asyncio.gather(*running, *(each.close() for each in way.first), return_exceptions=True)

    async def _converse(self) -> Conversation:
        inside = self._inside
        try:
            return await self._api.converse(inside.namespace, inside.pod, inside.command, container=inside.container)
        except Missing as missing:
            told = f"There is no pod {inside.pod} in the namespace {inside.namespace}, or it does not run: {missing}"
            raise Transient(told) from missing

    async def _lead(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until one side has no more."""
        try:
            conversation = way.first.pop() if way.first else await self._converse()
        except (Transient, Refused) as error:
            way.trouble = str(error)
            writer.close()
            return
        ways = [asyncio.create_task(each) for each in (_up(reader, conversation), _down(conversation, writer, way))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            await conversation.close()


async def _up(reader: asyncio.StreamReader, conversation: Conversation) -> None:
    while chunk := await reader.read(_CHUNK):
        await conversation.send_bytes(bytes([_IN]) + chunk)


async def _down(conversation: Conversation, writer: asyncio.StreamWriter, way: Way) -> None:
    said = b""
    async for message in conversation:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == _OUT:
            writer.write(data)
            await writer.drain()
        elif channel == _ERROR:
            said = (said + data)[-_KEPT:]
        elif channel == _END:
            way.trouble = _read_end(data, said)


def _read_end(data: bytes, said: bytes) -> str | None:
    """Read how a command ended: ``None`` where that is as it should be."""
    status: dict[str, object] = {}
    with contextlib.suppress(ValueError, TypeError):
        status = dict(json.loads(data))
    if status.get("status") == "Success":
        return None
    words = said.decode("utf-8", "replace") or str(status.get("message") or "it ended")
    return " ".join(words.split())
