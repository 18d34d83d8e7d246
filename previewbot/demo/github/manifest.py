"""Registering an App from a manifest, the way a person goes through it in the browser."""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from previewbot.demo.github import forms
from previewbot.demo.github.rights import covers
from previewbot.demo.github.state import App

if TYPE_CHECKING:
    from previewbot.demo.github.server import SimulatedGitHub

_PAGE = """<!doctype html><title>Register new GitHub App</title>
<body style="font-family: system-ui; max-width: 36rem; margin: 15vh auto">
<h1>Create GitHub App for {owner}</h1>
<form method="post" action="/settings/apps/create"><input type="hidden" name="ticket" value="{ticket}">
<p>GitHub App name <input name="name" value="{name}"></p><button>Create GitHub App</button></form>"""

_REFUSED = """<!doctype html><title>Invalid GitHub App configuration</title>
<h1>Invalid GitHub App configuration</h1>
<p>The configuration does not appear to be a valid GitHub App manifest.</p>{flaws}"""

_WANTS: Mapping[str, str] = {
    **dict.fromkeys(("check_run", "check_suite"), "checks"),
    **dict.fromkeys(("commit_comment", "create", "delete", "push", "release"), "contents"),
    **dict.fromkeys(("deployment", "deployment_status"), "deployments"),
    **dict.fromkeys(("issue_comment", "issues"), "issues"),
    **dict.fromkeys(("repository", "star"), "metadata"),
    **dict.fromkeys(("pull_request", "pull_request_review", "pull_request_review_comment"), "pull_requests"),
    **dict.fromkeys(("workflow_job", "workflow_run"), "actions"),
    "status": "statuses",
}
"""Events that an App may ask for, and the permission without which GitHub refuses it; comments on pull requests, too,
want the one for issues here: https://docs.github.com/en/webhooks/webhook-events-and-payloads"""


def flaws(manifest: Mapping[str, Any]) -> list[str]:
    """What GitHub says of events that cannot be had, or not with these permissions."""
    events = manifest.get("default_events") or []
    permissions = {"metadata": "read", **(manifest.get("default_permissions") or {})}  # every App has that one
    unheard = [each for each in events if each not in _WANTS]
    unbacked = [each for each in events if not covers(permissions, f"{_WANTS.get(each, '')}=read")]
    said = (("Default events unsupported", unheard), ("Default events are not supported by permissions", unbacked))
    return [f"{what}: {_listed(names)}" for what, names in said if names]


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)}{',' if len(most) > 1 else ''} and {last}" if most else last


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
        wrong = flaws(manifest)
        if wrong:
            return HTMLResponse(
                _REFUSED.format(flaws="".join(f"<p>Error {html.escape(each)}</p>" for each in wrong)), 422
            )
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
