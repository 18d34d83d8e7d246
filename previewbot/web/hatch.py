"""The hatch: the short way in for the two requests that nearly all are, deliveries and the front door's questions.

Ordinary is what GitHub sends, a POST whose headers arrive in one piece and tell how long its small body is, and what
the front door asks for each visitor of a preview, a GET without a body. All else is handed over to the web server's own
protocol, with the connection and every byte that came, before anything was done about it. What is HTTP and what is not
is left to the same parser that the web server uses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

from previewbot.core.errors import Refused, Transient
from previewbot.web.answers import AWAY, CLOSE, Answer, answer, written
from previewbot.web.webhook import LARGE, Door

log = structlog.get_logger(__name__)

_DELIVERY = b"POST /webhook HTTP/1.1\r\n"
_QUESTION = b"GET /front-door HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_ODD = frozenset({b"transfer-encoding", b"expect", b"upgrade"})
"""Headers with which a request is none of the ordinary ones."""
_USUAL = b"keep-alive"
"""What ``Connection`` may say: what goes without saying."""
_THROUGH = b"x-previewbot-host"
"""The header that the front door sets, and takes from everybody who comes through it."""
_LONGEST_LENGTH = 6

_FAILED = answer(500, "Internal Server Error")
_AWAY = answer(503, AWAY)


Lead = Callable[[Mapping[bytes, bytes]], Awaitable[Answer]]
"""Tells the front door, from the headers of its question, where a host lives."""


@dataclass(slots=True)
class Order:
    """An ordinary request whose headers are read; the body of a delivery may still be under way."""

    is_question: bool
    headers: Mapping[bytes, bytes]
    length: int
    body: bytes
    began: float = field(default_factory=time.perf_counter)


class _Reader:
    """What the parser tells of the headers of one request."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value


def read(data: bytes) -> Order | None:
    """Read the beginning of a request; ``None`` where it is no ordinary one, or not yet known to be one."""
    is_question = data.startswith(_QUESTION)
    if not is_question and not data.startswith(_DELIVERY):
        return None
    end = data.find(_END) + len(_END)
    if end < len(_END):
        return None
    reader = _Reader()
    try:
        httptools.HttpRequestParser(reader).feed_data(data[:end])
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    headers = reader.headers
    if headers.keys() & _ODD or headers.get(b"connection", _USUAL).lower() != _USUAL:
        return None
    if (_THROUGH in headers) != is_question:
        return None
    length = headers.get(b"content-length", b"0" if is_question else b"")
    if not (length.isdigit() and len(length) <= _LONGEST_LENGTH and int(length) < LARGE):
        return None
    return None if (int(length) == 0) != is_question else Order(is_question, headers, int(length), data[end:])


class Hatch(asyncio.Protocol):
    """One connection, for as long as nothing but ordinary requests comes through it, one after the other."""

    def __init__(
        self,
        door: Door,
        lead: Lead,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Everything but the door and ``lead`` is what uvicorn gives to a protocol of its own."""
        self._door, self._lead = door, lead
        self._config, self._server, self._state = config, server_state, app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._order: Order | None = None
        self._answering: asyncio.Task[None] | None = None
        self._ahead = b""
        """What came before its turn: the next request."""
        self._is_last = False
        self._quiet_since = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None

    # --- what the event loop tells ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; at its end the server calls ``shutdown`` of everybody who is registered, and waits for them."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]
        self._deadline = self._loop.call_later(self._door.deadline.total_seconds(), self._transport.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End; a delivery that is on its way to disk goes there all the same."""
        self._let_go()

    def data_received(self, data: bytes) -> None:
        """Take what came: a request, more of its body, or what is not to be looked at yet."""
        if self._answering:
            self._ahead += data
            self._transport.pause_reading()
        elif self._order:
            self._order.body += data
            self._go_on(self._order)
        else:
            self._begin(data)

    def pause_writing(self) -> None:
        """Take nothing more of a sender that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with a sender that reads again."""
        if not self._ahead:
            self._transport.resume_reading()

    def shutdown(self) -> None:
        """End after the answer to what came already: called by the server as it ends."""
        self._is_last = True
        if not self._order:
            self._transport.close()

    # --- one request after the other --------------------------------------------------------------------------------

    def _begin(self, data: bytes) -> None:
        self._meet_deadline()
        order = self._order = read(data)
        if order:
            self._go_on(order)
        else:
            self._hand_over(data)

    def _go_on(self, order: Order) -> None:
        if len(order.body) < order.length:
            if not self._deadline:
                self._deadline = self._loop.call_later(self._door.deadline.total_seconds(), self._give_up)
            return
        self._meet_deadline()
        if len(order.body) > order.length:
            self._ahead, order.body = order.body[order.length :], order.body[: order.length]
            self._transport.pause_reading()
        self._answering = self._loop.create_task(self._answer(order))

    def _meet_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    async def _answer(self, order: Order) -> None:
        try:
            told = await self._take(order)
        except Exception:  # a bug must cost this request alone, and its sender must not wait
            log.exception("bug")
            told, self._is_last = _FAILED, True
        self._send(told)

    async def _take(self, order: Order) -> Answer:
        if not order.is_question:
            return await self._door.take(order.headers, order.body, order.began)
        try:
            return await self._lead(order.headers)
        except (Transient, Refused) as error:
            log.warning("front door not told", why=str(error))
            return _AWAY

    def _give_up(self) -> None:
        if self._order:
            self._is_last = True
            self._send(self._door.late(self._order.headers, self._order.began))

    def _send(self, told: Answer) -> None:
        """Send an answer, and go on with what came meanwhile."""
        self._order = self._answering = None
        if self._transport.is_closing():
            return
        own = [*self._server.default_headers, CLOSE] if self._is_last else self._server.default_headers
        self._transport.write(b"".join((told.line, written(own), told.rest)))
        if self._is_last:
            self._transport.close()
        elif self._ahead:
            ahead, self._ahead = self._ahead, b""
            self._transport.resume_reading()
            self._begin(ahead)
        else:
            self._rest()

    def _rest(self) -> None:
        """Begin to be quiet; one timer is enough for many requests, so it is seldom set."""
        self._quiet_since = self._loop.time()
        if not self._idle:
            self._idle = self._loop.call_later(self._config.timeout_keep_alive, self._look)

    def _look(self) -> None:
        """Close a connection that was quiet for long enough."""
        self._idle = None
        if self._order:
            return
        left = self._quiet_since + self._config.timeout_keep_alive - self._loop.time()
        if left > 0:
            self._idle = self._loop.call_later(left, self._look)
        else:
            self._transport.close()

    def _hand_over(self, data: bytes) -> None:
        """Let the web server's own protocol go on from the beginning of a request."""
        self._let_go()
        own: Any = AutoHTTPProtocol  # is one of two classes, whose only common type takes nothing
        other = own(config=self._config, server_state=self._server, app_state=self._state, _loop=self._loop)
        self._transport.set_protocol(other)
        other.connection_made(self._transport)
        if self._is_last:
            other.shutdown()
        else:
            other.data_received(data)
            self._loop.call_later(self._door.deadline.total_seconds(), self._expect_request, other)

    def _expect_request(self, other: Any) -> None:  # noqa: ANN401 - see above
        """Close a connection on which not even the head of a request came to its end; uvicorn would wait for ever."""
        if other.cycle is None:
            self._transport.close()

    def _let_go(self) -> None:
        self._server.connections.discard(self)
        for timer in (self._deadline, self._idle):
            if timer:
                timer.cancel()
