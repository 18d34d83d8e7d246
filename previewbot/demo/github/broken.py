"""Answers that never arrive whole."""

from __future__ import annotations

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Dropped(Response):
    """Closes the connection without a word."""

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Begin with a header that no server can write: it closes the connection before it sent anything."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"\n", b"")]})
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")  # where there is no server


class Cut(Response):
    """Promises a body, and closes the connection in the middle of it."""

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send half of it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
