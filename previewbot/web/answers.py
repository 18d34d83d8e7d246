"""What every answer carries, and answers that are made once: constant words that need no framework."""

from __future__ import annotations

from dataclasses import dataclass

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

CLOSE = (b"connection", b"close")
"""For a request that was not read to its end: the rest of it must not be taken for the next one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, ready to be sent any number of times."""

    start: Message
    body: Message

    async def send(self, send: Send) -> None:
        """Send it."""
        await send(self.start)
        await send(self.body)


def answer(status: int, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Make an answer of plain text."""
    body = text.encode()
    about = ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)))
    return Answer(
        {"type": "http.response.start", "status": status, "headers": [*about, *headers, *PROTECTION]},
        {"type": "http.response.body", "body": body},
    )
