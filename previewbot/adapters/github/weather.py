"""What a failed request means: a pure translation of GitHub's answers into the two errors that the engine knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from pydantic import ValidationError

from previewbot.adapters.github.shapes import Problem
from previewbot.core.errors import Refused, Throttled, Transient
from previewbot.core.model import Reason

_PATIENCE = timedelta(minutes=1)
"""How long GitHub asks to wait where it names no time."""
_LONGEST = timedelta(hours=2)
"""No limit of GitHub's lasts longer than an hour: a larger number is nonsense."""


def complaint(response: httpx.Response) -> str:
    """Read GitHub's own sentence from an answer, in one line of 200 characters at most."""
    try:
        said = Problem.model_validate(response.json()).message
    except (ValueError, ValidationError, RecursionError):
        said = response.reason_phrase
    return " ".join(said.split())[:200]


def is_rate_limit(response: httpx.Response) -> bool:
    """Whether an answer means "not now": 429, or a 403 that speaks of a limit rather than of a right."""
    if response.status_code != httpx.codes.FORBIDDEN:
        return response.status_code == httpx.codes.TOO_MANY_REQUESTS
    spent = response.headers.get("x-ratelimit-remaining") == "0"
    return spent or "retry-after" in response.headers or "rate limit" in complaint(response).lower()


def retry_after(headers: httpx.Headers, now: datetime) -> timedelta:
    """Say how long GitHub asks us to wait: ``Retry-After`` (seconds or a date), else the reset of the limit."""
    wait = _seconds(headers.get("retry-after"))
    if wait is None:
        wait = _until(_date(headers.get("retry-after")), now)
    if wait is None and headers.get("x-ratelimit-remaining", "0") == "0":
        wait = _until(_epoch(headers.get("x-ratelimit-reset")), now)
    return min(max(wait if wait is not None else _PATIENCE, timedelta(seconds=1)), _LONGEST)


def judge(response: httpx.Response, now: datetime, what: str) -> Transient | Refused:
    """Turn an answer that is no success into the error it is; ``what`` is the request in words."""
    status = response.status_code
    said = f"GitHub answered {status} to {what}: {complaint(response)}"
    if is_rate_limit(response):
        return Throttled(said, retry_after=retry_after(response.headers, now))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        asked = response.headers.get("retry-after")
        return Transient(said, retry_after=retry_after(response.headers, now) if asked else None)
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND, httpx.codes.REQUEST_TIMEOUT} or response.is_redirect:
        return Transient(said)
    needs = response.headers.get("x-accepted-github-permissions")
    return Refused(Reason.INTERNAL, f"{said} (it needs {needs})" if needs else said)


def date_of(headers: httpx.Headers) -> datetime | None:
    """Read when GitHub answered, by its own clock."""
    return _date(headers.get("date"))


def _seconds(text: str | None) -> timedelta | None:
    digits = (text or "").strip()
    return timedelta(seconds=int(digits[:9])) if digits.isascii() and digits.isdigit() else None


def _epoch(text: str | None) -> datetime | None:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return datetime.fromtimestamp(int(digits[:11]), UTC)


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _until(then: datetime | None, now: datetime) -> timedelta | None:
    return then - now if then else None
