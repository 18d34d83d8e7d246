"""Pulling an image that a blueprint names, from a registry that answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from previewbot.adapters.docker import images
from previewbot.adapters.docker.engine import Engine
from previewbot.core.errors import Refused, Transient

pytestmark = pytest.mark.engine


@contextmanager
def _registry(status: int) -> Iterator[str]:
    """A registry that knows itself and answers everything else with one status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v2/" else status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}/x:1"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


async def test_a_registry_that_is_unwell_is_asked_again_later(engine: Engine) -> None:
    with _registry(503) as reference, pytest.raises(Transient, match="cannot be pulled"):
        await images.fetch(engine, reference)
    with pytest.raises(Transient, match="cannot be pulled"):
        await images.fetch(engine, reference)  # nobody listens there any more


async def test_an_image_that_its_registry_does_not_have_is_told(engine: Engine) -> None:
    with _registry(404) as reference, pytest.raises(Refused, match=f"The image `{reference}` cannot be pulled"):
        await images.fetch(engine, reference)
