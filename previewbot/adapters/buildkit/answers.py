"""What a registry's answers mean: a translation into the two errors that the engine knows, with the way out."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_LONGEST = 3600
_SAID = 200

OPERATOR = "previewbot's operator"


def complaint(response: httpx.Response) -> str:
    """Read the registry's own words from an answer, in one line."""
    try:
        first: Any = response.json()["errors"][0]
        said = f"{first.get('code', '')} {first.get('message') or ''}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, httpx.ResponseNotRead):
        said = response.reason_phrase
    return " ".join(str(said).split())[:_SAID]


def judge(response: httpx.Response, *, repository: str, doing: str) -> Transient | Refused:
    """Turn an answer that is no success into the error it is; ``doing`` is the request in words."""
    status, host = response.status_code, _host(response.url)
    said = f"The registry {host} answers {status} to {doing} in `{repository}` ({complaint(response)})"
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return Refused(
            Reason.RUNTIME_REFUSED, f"{said}: {OPERATOR} has to check the registry's credentials and rights."
        )
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Transient(f"{said}.", retry_after=_retry_after(response.headers))
    if status in {httpx.codes.REQUEST_TIMEOUT, httpx.codes.NOT_FOUND}:
        return Transient(f"{said}.")
    if response.is_redirect:
        return Refused(Reason.RUNTIME_REFUSED, f"{said}: {OPERATOR} has to name the registry by its own address.")
    return Refused(Reason.RUNTIME_REFUSED, f"{said}.")


def unreachable(host: str, error: httpx.HTTPError) -> Transient:
    """Say that a registry did not answer, and why where it is known."""
    why = " ".join(str(error).split())[:_SAID] or type(error).__name__
    way = ""
    if "CERTIFICATE_VERIFY_FAILED" in why:
        way = f" Its certificate is not trusted: {OPERATOR} has to set registry.ca_file."
    elif "WRONG_VERSION_NUMBER" in why:
        way = " It does not speak HTTPS; plain HTTP is possible on this machine alone (registry.plain_http)."
    return Transient(f"The registry {host} does not answer: {why}.{way}")


def nonsense(host: str, what: str) -> Transient:
    """Say that an answer is none that a registry gives: something in between may have answered."""
    return Transient(f"The registry {host} answers with nonsense: {what}.")


def _host(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")


def _retry_after(headers: httpx.Headers) -> timedelta | None:
    asked = re.fullmatch(r"[0-9]{1,9}", headers.get("retry-after", ""))
    return timedelta(seconds=min(int(asked[0]), _LONGEST)) if asked else None
