"""The pages: what a visitor of a preview sees while there is none, the logs of builds, and the operator's list."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, Record, Run, State
from previewbot.ports import Clock, Logs, Records
from previewbot.web.answers import Answer, of_page
from previewbot.web.tail import chunks, clean, end_of, read_from
from previewbot.wire import notice

_PAGES = Environment(
    loader=PackageLoader("previewbot.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_STYLE = (Path(__file__).parent / "static" / "previewbot.css").read_text()
"""On a preview's host nothing of ours can be fetched, so that page carries its style in itself."""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_STANDALONE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_SILENT = timedelta(minutes=30)
"""A build that says nothing for longer is taken for dead."""
_LOOK = 0.3
"""Seconds between two looks at a log that grows."""


class Ran(Protocol):
    """Who knows what ran of jobs and timetables, and what that said."""

    async def newest(self, key: Key) -> Sequence[Run]:
        """List the runs of an environment, the newest first."""

    async def said(self, key: Key, service: str, name: str) -> Sequence[str] | None:
        """The lines of one run without any secret; ``None`` where there is none."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages need. ``find`` says where a host lives, and where else; ``token`` opens the operator's pages."""

    records: Records
    logs: Logs
    clock: Clock
    find: Callable[[str], Sequence[str] | None]
    token: bytes | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when the server is about to end: whoever follows a log is let go, and comes back to the next one."""
    ran: Ran | None = None
    """Whom the page of an environment asks for its runs."""

    # --- asked by the front door for every request to a preview -----------------------------------------------------

    async def front_door(self, request: Request) -> Response:
        """Do what ``lead`` does, for a question that came by the long way."""
        return await self._lead(dict(request.headers.raw))

    async def lead(self, headers: Mapping[bytes, bytes]) -> Answer:
        """Tell the front door where a host lives, or give it the page that says why it lives nowhere."""
        return of_page(await self._lead(headers))

    async def _lead(self, headers: Mapping[bytes, bytes]) -> Response:
        host = headers.get(b"x-previewbot-host", b"").decode("latin-1").partition(":")[0].lower()
        addresses = None if b"x-previewbot-down" in headers else self.find(host)
        if addresses:
            told = {"X-Previewbot-Upstream": addresses[0], "X-Previewbot-Other": addresses[-1]}
            return Response(status_code=204, headers=told)
        key = await self.records.find_host(host)
        record = await self.records.load(key) if key else None
        return self._explain(host, record)

    def _explain(self, host: str, record: Record | None) -> Response:
        if record is None or record.status is None:
            return _standalone(
                "waiting.html", 404, title="No preview lives here", host=host, status=None, waiting=False
            )
        status = record.status
        gone = status.state in (State.GONE, State.SKIPPED, State.REMOVING)
        waiting = status.state in (State.BUILDING, State.STARTING, State.READY)
        title = {
            State.BUILDING: "Building this preview",
            State.STARTING: "Starting this preview",
            State.READY: "This preview is not answering yet",
            State.FAILED: "This preview is not up",
        }.get(status.state, "This preview is gone")
        answer = _standalone(
            "waiting.html", 410 if gone else 503, title=title, host=host, status=status, waiting=waiting,
            why=notice.sentence(status), record=record,
        )  # fmt: skip
        if not gone:
            answer.headers["Retry-After"] = "2"
        return answer

    # --- logs -------------------------------------------------------------------------------------------------------

    async def log(self, request: Request) -> Response:
        """Show the log of a build, or what a hook or a job said: whoever has its name may read it."""
        found = await self._find(request)
        if found is None:
            return _missing()
        build, file = found
        is_live = await asyncio.to_thread(_is_live, build, file, self.clock.now())
        part = await asyncio.to_thread(end_of, file, whole_lines=is_live)
        return _page(
            "log.html", build=build, part=part, text=clean(part.text), is_live=is_live, name=request.path_params["log"]
        )

    async def raw_log(self, request: Request) -> Response:
        """Give the log as plain text."""
        found = await self._find(request)
        if found is None:
            return _missing()
        return StreamingResponse(chunks(found[1]), media_type="text/plain; charset=utf-8")

    async def stream_log(self, request: Request) -> Response:
        """Send what is added to a log while its build runs, and ``end`` when it is over.

        Every event names the place in the file that it reached, so a browser that comes back goes on from there.
        """
        found = await self._find(request)
        if found is None:
            return _missing()
        start = request.headers.get("last-event-id") or request.query_params.get("from", "")
        position = int(start) if re.fullmatch(r"[0-9]{1,15}", start, re.ASCII) else 0
        return EventSourceResponse(self._follow(request.path_params["log"], found[1], position), ping=15)

    async def _follow(self, log: str, file: Path, position: int) -> AsyncIterator[dict[str, Any]]:
        while not self.closing.is_set():
            build = await self.records.find_log(log)
            is_live = await asyncio.to_thread(_is_live, build, file, self.clock.now())
            part = await asyncio.to_thread(read_from, file, position, whole_lines=is_live)
            if part.text:
                position = part.end
                yield {"data": clean(part.text), "id": str(position)}
            elif is_live:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.closing.wait(), _LOOK)
            else:
                yield {"event": "end", "data": ""}
                return

    async def _find(self, request: Request) -> tuple[BuildRecord | None, Path] | None:
        name = request.path_params["log"]
        try:
            file = self.logs.path(name)
        except ValueError:
            return None
        build = await self.records.find_log(name)
        is_there = build is not None or await asyncio.to_thread(file.is_file)
        return (build, file) if is_there else None

    # --- the operator's pages ---------------------------------------------------------------------------------------

    async def environments(self, request: Request) -> Response:
        """List every environment, newest first."""
        if not self._is_operator(request):
            return self._locked()
        rows = [row(each, self.clock.now()) for each in await self.records.records()]
        return _page("environments.html", rows=rows)

    async def environment(self, request: Request) -> Response:
        """Show one environment: its state, why, and its releases."""
        if not self._is_operator(request):
            return self._locked()
        key = Key.parse(request.path_params["key"])
        record = await self.records.load(key) if key else None
        if key is None or record is None or record.status is None:
            return _missing()
        releases = await self.records.releases(key)
        runs = await self.ran.newest(key) if self.ran else ()
        return _page("environment.html", record=record, row=row(record, self.clock.now()), releases=releases, runs=runs)

    async def run(self, request: Request) -> Response:
        """Show what one run of a job or a timetable said."""
        if not self._is_operator(request):
            return self._locked()
        key, told = Key.parse(request.path_params["key"]), request.path_params
        lines = await self.ran.said(key, told["service"], told["run"]) if key and self.ran else None
        return _missing() if lines is None else PlainTextResponse("".join(f"{clean(line)}\n" for line in lines))

    def _is_operator(self, request: Request) -> bool:
        """Whether the request comes from this machine itself, or shows the token."""
        shown = _shown(request.headers.get("authorization", ""))
        if self.token and hmac.compare_digest(shown, self.token):
            return True
        forwarded = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-previewbot-host"))
        return not forwarded and _is_loopback(request.client.host if request.client else "") and _is_local_name(request)

    def _locked(self) -> Response:
        if self.token is None:
            return PlainTextResponse("Open this page on previewbot's own machine, or send its token.", 403)
        challenge = {"WWW-Authenticate": 'Basic realm="previewbot", charset="UTF-8"'}
        return PlainTextResponse("Give previewbot's token as the password.", 401, headers=challenge)


def _shown(authorization: str) -> bytes:
    """The token that a request shows: as a bearer, or as the password that a browser asked for."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except ValueError:
        return b""


@dataclass(frozen=True, slots=True)
class Row:
    """One environment in a list, for people and for scripts."""

    key: str
    repository: str
    number: int
    state: str
    reason: str
    why: str
    commit: str | None
    url: str | None
    since: datetime | None
    age: str


def row(record: Record, now: datetime) -> Row:
    """Sum one environment up."""
    status = record.status
    services = status.services if status else ()
    return Row(
        key=str(record.key),
        repository=record.repository_name,
        number=record.key.number,
        state=str(status.state) if status else "unknown",
        reason=str(status.reason) if status else "",
        why=notice.summary(record),
        commit=record.commit,
        url=next((line.url for line in services if line.url), None),
        since=status.since if status else None,
        age=_age(now - record.created_at) if record.created_at else "",
    )


def _age(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"  # noqa: PLR2004


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_local_name(request: Request) -> bool:
    """Refuse other names for this machine, so that no page elsewhere reads ours through a visitor's browser."""
    return (request.url.hostname or "") in ("localhost", "127.0.0.1", "::1")


def _page(template: str, status_code: int = 200, **facts: object) -> Response:
    return HTMLResponse(_PAGES.get_template(template).render(**facts), status_code)


def _standalone(template: str, status_code: int, **facts: object) -> Response:
    """A page that needs nothing beside itself; browsers keep no copy of it."""
    answer = _page(template, status_code, style=Markup(_STYLE), **facts)  # noqa: S704
    answer.headers["Content-Security-Policy"] = _STANDALONE_POLICY
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _is_live(build: BuildRecord | None, file: Path, now: datetime) -> bool:
    """Whether more may come; a build that died with previewbot is never told to be over, and says nothing more."""
    if build is None or build.state is not BuildState.RUNNING:
        return False
    heard = build.started_at.timestamp()
    with contextlib.suppress(OSError):
        heard = max(heard, file.stat().st_mtime)
    return now.timestamp() - heard < _SILENT.total_seconds()


def _missing() -> Response:
    return PlainTextResponse("There is nothing here.", 404)
