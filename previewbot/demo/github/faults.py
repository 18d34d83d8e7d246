"""Bad weather on the simulated GitHub: the next requests that match go wrong in a chosen way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from previewbot.demo.github.broken import Cut, Dropped
from previewbot.demo.github.limits import Limits, exceeded, secondary

Answer = Callable[[], Awaitable[Response]]
Kind = (
    int
    | Literal["half", "empty", "html", "slow", "drop", "cut", "primary", "primary-429", "secondary", "secondary-429"]
)
"""What goes wrong: the status of an error; a body that is half, empty or no JSON; half a second of silence; a
connection that closes without an answer or in the middle of one; GitHub's two kinds of rate limit, as 403 or 429."""

_PRIMARY: Mapping[Kind, int] = {"primary": 403, "primary-429": 429}
_SECONDARY: Mapping[Kind, int] = {"secondary": 403, "secondary-429": 429}

BROKEN = "simulated_fault"
"""What the scope of a request says whose answer is none of GitHub's."""


@dataclass
class Fault:
    """``after`` lets the effect happen first."""

    method: str
    part: str
    kind: Kind
    times: int
    after: bool

    def matches(self, request: Request) -> bool:
        """Whether it strikes this request."""
        return self.method in ("*", request.method) and self.part in request.url.path


@dataclass
class Faults:
    """What will go wrong."""

    limits: Limits
    wait: int = 60
    """How many seconds a rate limit lasts."""
    pending: list[Fault] = field(default_factory=list)

    def add(self, method: str, part: str, kind: Kind, *, times: int = 1, after: bool = False) -> None:
        """Let the next ``times`` requests of a method (``*`` for any) whose path contains ``part`` go wrong."""
        self.pending.append(Fault(method, part, kind, times, after))

    async def apply(self, request: Request, answer: Answer) -> Response:
        """Answer a request, or let it go wrong."""
        fault = next((each for each in self.pending if each.matches(request)), None)
        if fault is None:
            return await answer()
        fault.times -= 1
        if not fault.times:
            self.pending.remove(fault)
        if fault.kind in _PRIMARY:
            return exceeded(self.limits.used_up(self.wait), _PRIMARY[fault.kind])
        if fault.kind in _SECONDARY:
            return secondary(self.wait, _SECONDARY[fault.kind])
        request.scope[BROKEN] = True
        happens = fault.after or fault.kind in ("half", "slow", "cut")
        return await _broken(fault.kind, await answer() if happens else Response())


async def _broken(kind: Kind, real: Response) -> Response:
    body, json = bytes(real.body), "application/json"
    match kind:
        case int():
            return JSONResponse({"message": "simulated fault", "documentation_url": "https://docs.github.com"}, kind)
        case "half":
            return Response(body[: len(body) // 2], 200, media_type=json)
        case "slow":
            await asyncio.sleep(0.5)
            return real
        case "drop":
            return Dropped()
        case "cut":
            return Cut(body, real.status_code, media_type=json)
        case "html":
            return Response("<html>Unicorn!</html>", 200, media_type="text/html")
        case _:
            return Response(b"", 200, media_type=json)
