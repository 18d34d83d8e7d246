"""The cluster's API server, asked by the standard library alone."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.box import Box

Json = dict[str, Any]
_WATCH = 300
"""Seconds after which a watch ends by itself."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API server of one box, as its administrator; every call raises ``OSError`` where it is not answered well."""

    box: Box

    def get(self, path: str) -> bytes:
        """Read a path as it comes."""
        return self._send("GET", path)

    def read(self, path: str) -> Json:
        """Read one object or list."""
        found: Json = json.loads(self.get(path))
        return found

    def apply(self, path: str, thing: Mapping[str, object] | bytes) -> None:
        """Have an object be as given, whether it is there or not."""
        body = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
        self._send("PATCH", f"{path}?fieldManager=cluster&force=true", body, "application/apply-patch+yaml")

    @contextmanager
    def follow(self, path: str, since: str) -> Iterator[Iterator[bytes]]:
        """Watch a list from one of its versions on: a line of JSON for each change, until the server ends it."""
        query = f"watch=1&resourceVersion={since}&timeoutSeconds={_WATCH}"
        with closing(self._connect(_WATCH + 30)) as connection:
            connection.request("GET", f"{path}?{query}")
            answer = connection.getresponse()
            if answer.status >= 300:
                raise OSError(f"{path}: {answer.status} {answer.read()[:500]!r}")
            yield iter(answer.readline, b"")

    def _send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        with closing(self._connect(10)) as connection:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 300:
                raise OSError(f"{method} {path}: {answer.status} {said[:500]!r}")
            return said

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        trust = self.box.folder / "trust"
        context = ssl.create_default_context(cafile=trust / "ca.crt")
        context.load_cert_chain(trust / "admin.crt", trust / "admin.key")
        return http.client.HTTPSConnection(self.box.node, 6443, timeout=timeout, context=context)
