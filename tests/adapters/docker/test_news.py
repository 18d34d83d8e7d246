"""The engine's stream of events, where it ends otherwise than it should: whoever listens is told, and never left."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from previewbot.adapters.docker.engine import connect
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.core.errors import Refused, Transient


@contextmanager
def _engine(status: int, events: bytes) -> Iterator[str]:
    """An engine that knows its version and answers a call for its events like this."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_version = self.path.endswith("/version")
            body = json.dumps({"ApiVersion": "1.44", "Version": "1"}).encode() if is_version else events
            self.send_response(200 if is_version else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "events"),
    [
        (403, b'{"message": "a proxy says no"}'),
        (500, b"<html>"),
        (200, b'{"Type": "container"}\n<html>'),
        (200, b'["no object"]'),
        (200, b'{"Type": "container", "Actor": null}'),
        (200, b"\xff\xfe"),
    ],
)
async def test_a_stream_that_breaks_ends_for_whoever_listens(status: int, events: bytes) -> None:
    with _engine(status, events) as url:
        engine = connect(url)
        runtime = DockerRuntime(engine, instance="x")
        async with asyncio.timeout(10):
            with suppress(Transient, Refused):
                assert [key async for key in runtime.changes()] == []
        runtime.close()
        engine.close()
