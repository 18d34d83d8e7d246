"""What every answer carries, and answers that are made once: constant words that need no framework."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Message, Send

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PROTECTION = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
)
"""Headers of every answer that does not set them itself."""

Headers = list[tuple[bytes, bytes]]

AWAY = "This cannot be read now; try again in a moment."
"""What is told where the database, or what runs, cannot be asked."""

CLOSE = (b"connection", b"close")
"""For a request that was not read to its end: the rest of it must not be taken for the next one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, ready to be sent any number of times."""

    start: Message
    body: Message
    line: bytes
    """The status line, as it stands on the wire."""
    rest: bytes
    """Everything that stands on the wire after the status line and a server's own headers."""

    async def send(self, send: Send) -> None:
        """Send it."""
        await send(self.start)
        await send(self.body)


def answer(status: int, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Make an answer of plain text."""
    body = text.encode()
    about = ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)))
    return _whole(status, [*about, *headers, *PROTECTION], body)


def of_page(page: Response) -> Answer:
    """Make an answer of a page that is already there as a whole."""
    return _whole(page.status_code, protected(page.raw_headers), bytes(page.body))


def protected(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Add the headers of every answer to those that are given."""
    given = list(headers)
    names = {name for name, _ in given}
    return given + [each for each in PROTECTION if each[0] not in names]


def _whole(status: int, headers: Headers, body: bytes) -> Answer:
    return Answer(
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
        b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode()),
        written(headers) + b"\r\n" + body,
    )


def written(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they stand on the wire."""
    return b"".join(b"%s: %s\r\n" % each for each in headers)
