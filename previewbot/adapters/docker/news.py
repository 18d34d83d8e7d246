"""What changes in the engine, as it happens: its own events, and what the watches find out.

The engine's stream is read in a thread of its own, since it blocks for as long as nothing happens. Nothing is kept:
whoever was not listening looks at the world instead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import docker

from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.known import Event, Known
from previewbot.adapters.docker.labels import Names, key_of
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key

_FILTERS = {
    "type": ["container", "network"],
    "event": ["die", "died", "cleanup", "destroy", "remove", "oom", "pause", "unpause"],
}
"""Podman is asked for a death as ``died`` and tells it as ``die``, and how it ended is known after the ``cleanup``; a
destruction is called ``remove``."""

_Mail = Key | Exception | None


class News:
    """The changes of one instance's environments, for any number of listeners."""

    def __init__(self, engine: Engine, names: Names, known: Known) -> None:
        self._engine = engine
        self._names = names
        self._known = known
        self._listeners: set[asyncio.Queue[_Mail]] = set()

    def tell(self, key: Key) -> None:
        """Tell every listener that something of an environment changed."""
        for listener in self._listeners:
            listener.put_nowait(key)

    async def listen(self) -> AsyncIterator[Key]:
        """Yield keys until the engine's stream ends; ``Transient`` where it cannot be had."""
        inbox: asyncio.Queue[_Mail] = asyncio.Queue()
        pump = _Pump(self._engine, self._names, self._known, inbox)
        self._listeners.add(inbox)
        pump.start()
        try:
            while (mail := await inbox.get()) is not None:
                if isinstance(mail, Exception):
                    raise mail
                yield mail
        finally:
            self._listeners.discard(inbox)
            pump.stop()
            if pump.is_open:
                self._known.close()


class _Pump(threading.Thread):
    """Moves the engine's events to a queue of the event loop, and ``None`` or an error at their end."""

    def __init__(self, engine: Engine, names: Names, known: Known, inbox: asyncio.Queue[_Mail]) -> None:
        """Posts to the event loop that it is made in."""
        super().__init__(name="docker-events", daemon=True)
        self.is_open = False
        """Whether events are heard; of the event loop's thread, as all that is known is."""
        self._engine, self._names, self._known = engine, names, known
        self._loop, self._inbox = asyncio.get_running_loop(), inbox
        self._stream: Any = None
        self._is_stopped = False
        self._guard = threading.Lock()

    def run(self) -> None:
        """Read until the stream ends."""
        try:
            self._engine.ask(self._read)
        except Exception as error:  # noqa: BLE001 - whoever listens would wait for ever for a thread that died
            self._post(error if isinstance(error, Transient | Refused) else self._engine.away(error))
        else:
            self._post(None)

    def stop(self) -> None:
        """End the stream, and with it the thread."""
        with self._guard:
            self._is_stopped = True
            if self._stream is not None:
                with suppress(OSError, AttributeError):  # it ended by itself just now
                    self._stream.close()

    def _read(self, client: docker.APIClient) -> None:
        stream = client.events(decode=True, filters=_FILTERS)
        with self._guard:
            self._stream = stream
            if self._is_stopped:
                stream.close()
        self._call(self._open)
        try:
            for event in stream:
                key = self._key(event)
                if key:
                    if event["Type"] == "container":
                        self._call(self._known.hear, _event(event))
                    self._post(key)
        finally:
            # Its own way to close it ends the conversation, and leaves our end of the socket open.
            stream._response.close()  # noqa: SLF001

    def _open(self) -> None:
        with self._guard:
            self.is_open = not self._is_stopped
        if self.is_open:
            self._known.open()

    def _key(self, event: Mapping[str, Any]) -> Key | None:
        attributes = event.get("Actor", {}).get("Attributes") or {}
        if event.get("Type") == "network":
            return self._names.key_of_network(attributes.get("name", ""))
        return key_of(attributes) if self._names.owns(attributes) else None

    def _post(self, mail: _Mail) -> None:
        self._call(self._inbox.put_nowait, mail)

    def _call(self, effect: Callable[..., object], *what: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(effect, *what)


def _event(told: Mapping[str, Any]) -> Event:
    actor, nanoseconds = told["Actor"], told.get("timeNano", 0)
    at = datetime.fromtimestamp(nanoseconds / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # An engine that leaves any of it out is asked instead.
    code = actor["Attributes"].get("exitCode", "") if nanoseconds else ""
    return Event(actor.get("ID", ""), told.get("Action", ""), at, int(code) if code.isdigit() else None)
