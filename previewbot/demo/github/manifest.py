"""Registering an App from a manifest, the way a person goes through it in the browser."""

from __future__ import annotations

import html
import json
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from previewbot.demo.github import forms
from previewbot.demo.github.state import App

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

_PAGE = """<!doctype html><title>Register new GitHub App</title>
<body style="font-family: system-ui; max-width: 36rem; margin: 15vh auto">
<h1>Create GitHub App for {owner}</h1>
<form method="post" action="/settings/apps/create"><input type="hidden" name="ticket" value="{ticket}">
<p>GitHub App name <input name="name" value="{name}"></p><button>Create GitHub App</button></form>"""


class Registration:
    """The two pages of the flow."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._github = github
        self._tickets: dict[str, tuple[dict[str, object], str]] = {}

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/settings/apps/new", self.show, methods=["POST"]),
            Route("/organizations/{owner}/settings/apps/new", self.show, methods=["POST"]),
            Route("/settings/apps/create", self.create, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show what was posted, and ask for a name."""
        form = await forms.read(request)
        try:
            manifest = json.loads(str(form.get("manifest", "")))
            name = str(manifest["name"])
        except (ValueError, KeyError, TypeError):
            return PlainTextResponse("Error Invalid GitHub App configuration: manifest", 422)
        ticket = secrets.token_hex(8)
        self._tickets[ticket] = (manifest, request.query_params.get("state", ""))
        owner = request.path_params.get("owner", "alice")
        return HTMLResponse(_PAGE.format(owner=html.escape(owner), ticket=ticket, name=html.escape(name, quote=True)))

    async def create(self, request: Request) -> Response:
        """Make the App, and send the browser back with a code that is good once."""
        form = await forms.read(request)
        manifest, state = self._tickets.pop(str(form.get("ticket")), ({}, ""))
        if not manifest:
            return PlainTextResponse("This form is too old.", 422)
        hook = manifest.get("hook_attributes")
        permissions, events = manifest.get("default_permissions"), manifest.get("default_events")
        app = App(
            next(self._github.state.ids),
            str(form.get("name", "app")).lower().replace(" ", "-"),
            str(hook.get("url", "")) if isinstance(hook, dict) else "",
            secrets.token_hex(20),
            dict(permissions) if isinstance(permissions, dict) else {},
            list(events) if isinstance(events, list) else [],
        )
        code = secrets.token_hex(20)
        self._github.state.registrations[code] = app
        target = f"{manifest.get('redirect_url')}?{urlencode({'code': code, 'state': state})}"
        return RedirectResponse(target, 302)
