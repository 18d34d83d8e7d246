"""Registers previewbot as a GitHub App: one page on this machine, one click on GitHub, three files only we can read.

It walks GitHub's App manifest flow: the page posts ``app-manifest.yml`` to GitHub, GitHub sends the browser back with a
code, and the code is exchanged for the App's id, private key and webhook secret. It never prints or logs a secret,
never listens beyond this machine, and never overwrites a file unless it is told to.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from previewbot.cli.manifest import SetupFailed
from previewbot.cli.setup_page import form, page

APP_ID, PRIVATE_KEY, WEBHOOK_SECRET = "app-id", "private-key.pem", "webhook-secret"
"""The names of the three files."""

_PATIENCE = timedelta(hours=1)
"""GitHub's code lives for an hour; so does our page."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What to register, where, and where to keep it."""

    hook_url: str
    """Where GitHub will deliver webhooks: the public address of ``/webhook``."""
    folder: Path
    """Where the three files go; made with mode 0700 if it is not there."""
    name: str = "previewbot"
    """What the App is called: unique on the whole of that GitHub."""
    organization: str | None = None
    """Who will own the App; ``None`` is the person in front of the browser."""
    web_url: str = "https://github.com"
    api_url: str | None = None
    """Where that GitHub's REST API is; found from ``web_url`` where it is not given."""
    force: bool = False
    """Overwrite what an earlier setup wrote."""
    port: int = 0
    """Where the page listens on this machine's loopback; 0 is any free port."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The App that GitHub made, and what it is installed with."""

    app_id: int
    slug: str
    install_url: str
    files: tuple[Path, ...]


def api_of(web_url: str) -> str:
    """Say where the REST API of a GitHub is: github.com, a ``ghe.com`` tenant or an Enterprise server."""
    url = httpx.URL(web_url)
    if url.host == "github.com" or url.host.endswith(".ghe.com"):
        return f"https://api.{url.host}"
    return f"{web_url.rstrip('/')}/api/v3"


async def register(
    wanted: Registration,
    manifest: Mapping[str, Any],
    *,
    announce: Callable[[str], None],
    patience: timedelta = _PATIENCE,
) -> Registered:
    """Serve the page, wait for the person, and keep what GitHub gives; ``announce`` is told the page's address.

    Raises ``SetupFailed`` with what to do, before anything is registered wherever that can be known.
    """
    _check_addresses(wanted)
    _check_folder(wanted)
    with _listening(wanted.port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        flow = _Flow(wanted, _fill(manifest, wanted, f"{address}/callback"))
        server = _Server(
            uvicorn.Config(flow.app(), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5)
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            announce(f"{address}/")
            async with asyncio.timeout(patience.total_seconds()):
                return await flow.outcome
        except TimeoutError:
            raise SetupFailed("Nobody finished the registration on GitHub in time. Run the setup again.") from None
        finally:
            server.should_exit = True
            await serving


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a setup that ended just now is no hindrance
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError as trouble:
            raise SetupFailed(f"Port {port} cannot be used: {trouble.strerror}. Choose another --port.") from None
        yield listener


class _Server(uvicorn.Server):
    """A server that leaves the signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class _Flow:
    """One registration: its secret ``state``, and how it ended."""

    wanted: Registration
    manifest: Mapping[str, Any]
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    outcome: asyncio.Future[Registered] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def app(self) -> Starlette:
        """The page and the callback; a foreign host name in front of them is refused."""
        routes = [Route("/", self.show), Route("/callback", self.finish)]
        return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1"])])

    async def show(self, _: Request) -> HTMLResponse:
        """Show what will be registered, with the button that does it."""
        owner = f"organizations/{quote(self.wanted.organization, safe='')}/" if self.wanted.organization else ""
        target = f"{self.wanted.web_url.rstrip('/')}/{owner}settings/apps/new?state={self.state}"
        return page("Register previewbot on GitHub", form(self.manifest, target))

    async def finish(self, request: Request) -> HTMLResponse:
        """Take GitHub's code; asked again after the end, say how it ended."""
        state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
        if not hmac.compare_digest(state.encode(), self.state.encode()):
            return page(
                "This page belongs to another registration", "<p>Begin again at the page that the setup named.</p>", 403
            )
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", code):
            return page("GitHub sent no code", "<p>Begin again at the page that the setup named.</p>", 400)
        async with self.lock:
            if not self.outcome.done():
                try:
                    self.outcome.set_result(keep(self.wanted, await exchange(self.wanted, code)))
                except _TryAgain as trouble:
                    return page(
                        "GitHub did not answer as expected", f"<p>{escape(str(trouble))} Load this page again.</p>", 502
                    )
                except SetupFailed as failed:
                    self.outcome.set_exception(failed)
            return _ending(self.outcome)


class _TryAgain(Exception):  # noqa: N818 - named by what happens next
    """GitHub may take the same code in a moment."""


async def exchange(wanted: Registration, code: str) -> Mapping[str, Any]:
    """Exchange the code for the App: ``id``, ``slug``, ``html_url``, ``pem`` and ``webhook_secret``.

    ``POST /app-manifests/{code}/conversions``; the code works once and for an hour.
    """
    api = (wanted.api_url or api_of(wanted.web_url)).rstrip("/")
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "previewbot"}
    try:
        async with httpx.AsyncClient(timeout=httpx.Timeout(20, connect=5), headers=headers) as client:
            answer = await client.post(f"{api}/app-manifests/{code}/conversions")
    except httpx.HTTPError as trouble:
        raise _TryAgain(f"{api} could not be reached ({type(trouble).__name__}).") from None
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise _TryAgain(f"{api} answered {answer.status_code}.")
    if not answer.is_success:
        raise SetupFailed(
            f"{api} did not take the code ({answer.status_code}): it is old or used. Run the setup again."
        )
    return _read_app(answer)


def keep(wanted: Registration, app: Mapping[str, Any]) -> Registered:
    """Write the three files, each whole or not at all, for the owner alone; say what comes next."""
    home = str(app.get("html_url") or f"{wanted.web_url.rstrip('/')}/apps/{app['slug']}")
    contents = {APP_ID: str(app["id"]), PRIVATE_KEY: app["pem"], WEBHOOK_SECRET: app.get("webhook_secret")}
    files = tuple(wanted.folder / name for name in contents)
    undo = f"Delete the App at {home}, or make it a new private key and webhook secret there by hand."
    try:
        for path, content in zip(files, contents.values(), strict=True):
            if content:
                _write(path, content.rstrip("\n") + "\n", force=wanted.force)
    except OSError as trouble:
        raise SetupFailed(f"{trouble.filename or wanted.folder}: {trouble.strerror}. {undo}") from None
    if not contents[WEBHOOK_SECRET]:
        raise SetupFailed(f"GitHub made no webhook secret. Set one at {home}, and write it to {files[-1]}.")
    return Registered(int(app["id"]), str(app["slug"]), f"{home}/installations/new", files)


def _read_app(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        app = answer.json()
    except ValueError:
        app = None
    wanted = {"id": int, "slug": str, "pem": str}
    if not isinstance(app, dict) or not all(isinstance(app.get(name), kind) for name, kind in wanted.items()):
        raise SetupFailed("GitHub's answer is not an App. Delete it in GitHub's settings, and run the setup again.")
    return app


def _fill(manifest: Mapping[str, Any], wanted: Registration, callback: str) -> dict[str, Any]:
    hook = {**manifest.get("hook_attributes", {}), "url": wanted.hook_url}
    return {**manifest, "name": wanted.name, "hook_attributes": hook, "redirect_url": callback}


def _check_addresses(wanted: Registration) -> None:
    for url in (wanted.hook_url, wanted.web_url, wanted.api_url or wanted.web_url):
        if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", url):
            raise SetupFailed(f"{url!r} is not an address. Give one that begins with https://")


def _check_folder(wanted: Registration) -> None:
    try:
        wanted.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as trouble:
        raise SetupFailed(f"{wanted.folder}: {trouble.strerror}. Choose a folder that you may write to.") from None
    if wanted.folder.stat().st_mode & 0o077:
        raise SetupFailed(f"Other users can read {wanted.folder}. Run: chmod 700 {wanted.folder}")
    if not os.access(wanted.folder, os.W_OK | os.X_OK):
        raise SetupFailed(f"{wanted.folder} cannot be written to. Choose another folder.")
    taken = [name for name in (APP_ID, PRIVATE_KEY, WEBHOOK_SECRET) if (wanted.folder / name).exists()]
    if taken and not wanted.force:
        raise SetupFailed(f"{wanted.folder} already holds {', '.join(taken)}. Choose another folder, or use --force.")


def _write(path: Path, content: str, *, force: bool) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists() and not force:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _ending(outcome: asyncio.Future[Registered]) -> HTMLResponse:
    failed = outcome.exception()
    if failed is not None:
        return page("Not registered", f"<p>{escape(str(failed))}</p>", 500)
    link = escape(outcome.result().install_url)
    return page("Registered", f'<p>Next: <a href="{link}">install it on your repositories</a>.</p>')
