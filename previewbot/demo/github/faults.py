"""Bad weather on the simulated GitHub: the next requests that match go wrong in a chosen way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Answer = Callable[[], Awaitable[Response]]


@dataclass
class Fault:
    """``kind`` is a status code, or ``half``, ``empty``, ``html``, ``slow``. ``after`` lets the effect happen first."""

    method: str
    part: str
    kind: int | str
    times: int
    after: bool


@dataclass
class Faults:
    """What will go wrong."""

    pending: list[Fault] = field(default_factory=list)

    def add(self, method: str, part: str, kind: int | str, *, times: int = 1, after: bool = False) -> None:
        """Let the next ``times`` requests of a method (``*`` for any) whose path contains ``part`` go wrong."""
        self.pending.append(Fault(method, part, kind, times, after))

    async def apply(self, request: Request, answer: Answer) -> Response:
        """Answer a request, or let it go wrong."""
        fault = next((each for each in self.pending if _matches(each, request)), None)
        if fault is None:
            return await answer()
        fault.times -= 1
        if not fault.times:
            self.pending.remove(fault)
        real = await answer() if fault.after or fault.kind in ("half", "slow") else None
        return await _broken(fault.kind, real)


def _matches(fault: Fault, request: Request) -> bool:
    return fault.method in ("*", request.method) and fault.part in request.url.path


async def _broken(kind: int | str, real: Response | None) -> Response:
    match kind:
        case int():
            headers = {"Retry-After": "1"} if kind in (403, 429) else {}
            message = "You have exceeded a secondary rate limit" if kind in (403, 429) else "simulated fault"
            return JSONResponse({"message": message, "documentation_url": "https://docs.github.com"}, kind, headers)
        case "half" if real is not None:
            return Response(bytes(real.body)[: len(real.body) // 2], 200, media_type="application/json")
        case "slow" if real is not None:
            await asyncio.sleep(0.5)
            return real
        case "html":
            return Response("<html>Unicorn!</html>", 200, media_type="text/html")
        case _:
            return Response(b"", 200, media_type="application/json")
