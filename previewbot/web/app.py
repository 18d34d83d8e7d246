"""The web application: which path leads where, and what every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from previewbot.core.errors import Refused, Transient
from previewbot.telemetry import Metrics
from previewbot.web.answers import AWAY, CLOSE, answer, protected
from previewbot.web.pages import Pages
from previewbot.web.webhook import Door

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that is served. ``ready`` says what previewbot still lacks, or ``None``."""

    door: Door
    pages: Pages
    metrics: Metrics
    ready: Callable[[], Awaitable[str | None]]
    measure: Callable[[], Awaitable[None]]
    """Brings the metrics up to date that are read, not counted."""


def create_app(site: Site) -> ASGIApp:
    """Make the application."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        lacking = await site.ready()
        return PlainTextResponse(lacking, 503) if lacking else PlainTextResponse("ready")

    async def metrics(_: Request) -> Response:
        await site.measure()
        return Response(site.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    pages = site.pages
    whole = Starlette(
        routes=[
            Route("/webhook", site.door, methods=["POST"]),
            Route("/front-door", pages.front_door),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/", pages.environments),
            Route("/environments/{key}", pages.environment),
            Route("/environments/{key}/runs/{service}/{run}", pages.run),
            Route("/logs/{log}", pages.log),
            Route("/logs/{log}/raw", pages.raw_log),
            Route("/logs/{log}/stream", pages.stream_log),
            Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
        ],
        exception_handlers={Transient: _away, Refused: _away},
    )
    return _Entrance(site.door, whole)


async def _away(_: Request, error: Exception) -> Response:
    """Say that what a page reads cannot be read now."""
    log.warning("page not shown", why=str(error))
    return PlainTextResponse(AWAY, 503)


@dataclass(frozen=True, slots=True)
class _Entrance:
    """Lets deliveries in by the shortest way, and keeps visitors of previews away from every other page."""

    door: Door
    pages: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.pages(scope, receive, send)
        elif _is_through_front_door(scope) and scope["path"] != "/front-door":
            await _NOTHING.send(send)
        elif scope["path"] == "/webhook" and scope["method"] == "POST":
            await self.door(scope, receive, send)
        else:
            await self.pages(scope, receive, _protecting(send))


def _is_through_front_door(scope: Scope) -> bool:
    return any(name == b"x-previewbot-host" for name, _ in scope["headers"])


_NOTHING = answer(404, "There is nothing here.", CLOSE)


def _protecting(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = protected(message.get("headers", ()))
        await send(message)

    return sent
