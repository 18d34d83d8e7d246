"""The web application: which path leads where, and what every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from previewbot.telemetry import Metrics
from previewbot.web.pages import Pages
from previewbot.web.webhook import Door

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that is served. ``ready`` says what previewbot still lacks, or ``None``."""

    door: Door
    pages: Pages
    metrics: Metrics
    ready: Callable[[], Awaitable[str | None]]
    measure: Callable[[], Awaitable[None]]
    """Brings the metrics up to date that are read, not counted."""


def create_app(site: Site) -> Starlette:
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
    return Starlette(
        routes=[
            Route("/webhook", site.door.receive, methods=["POST"]),
            Route("/front-door", pages.front_door),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/", pages.environments),
            Route("/environments/{key}", pages.environment),
            Route("/logs/{log}", pages.log),
            Route("/logs/{log}/raw", pages.raw_log),
            Route("/logs/{log}/stream", pages.stream_log),
            Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
        ],
        middleware=[Middleware(_Headers)],
    )


class _Headers:
    """Puts the same protective headers on every answer, and keeps visitors of previews away from other pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        through_front_door = any(name == b"x-previewbot-host" for name, _ in scope["headers"])
        if through_front_door and scope["path"] != "/front-door":
            await PlainTextResponse("There is nothing here.", 404)(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name for name, _ in given}
                message["headers"] = given + [each for each in _HEADERS if each[0] not in names]
            await send(message)

        await self._app(scope, receive, protected)
