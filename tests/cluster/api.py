"""The cluster's API server, asked by the standard library alone while the cluster comes up."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.cluster.box import Box

Json = dict[str, Any]


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

    def _send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        trust = self.box.folder / "trust"
        context = ssl.create_default_context(cafile=trust / "ca.crt")
        context.load_cert_chain(trust / "admin.crt", trust / "admin.key")
        with closing(http.client.HTTPSConnection(self.box.node, 6443, timeout=10, context=context)) as connection:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 300:
                raise OSError(f"{method} {path}: {answer.status} {said[:500]!r}")
            return said
