"""What an API server answers where it does not do what it was asked, as errors with sentences for people. Pure.

The statuses are those of https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus

from previewbot.adapters.kubernetes.kinds import Kind
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_AGAIN = (429, 500, 502, 503, 504)
_TAKEN = "AlreadyExists"
_QUOTA = "exceeded quota"
_LONGEST = 600


class Stale(Exception):  # noqa: N818 - named by what happens next: list again
    """A watch cannot go on from where it was."""


class Conflict(Transient):
    """Somebody else was there first."""


class Taken(Conflict):
    """An object of that name is there already."""


class Missing(Exception):  # noqa: N818 - named by what it says
    """It is not there."""


def read_error(status: int, said: bytes, deed: str, *, retry_after: str | None = None) -> Exception:
    """Turn an answer into what is raised for it; ``deed`` is what was asked: ``write the Deployment web-1``."""
    message = _message(said) or f"it answers {status}."
    match status:
        case HTTPStatus.NOT_FOUND:
            return Missing(message)
        case HTTPStatus.GONE:
            return Stale(message)
        case HTTPStatus.CONFLICT:
            kind = Taken if _field(said, "reason") == _TAKEN else Conflict
            return kind(f"Somebody else was faster when previewbot was about to {deed}: {message}")
        case HTTPStatus.UNAUTHORIZED:  # it may be being renewed
            return Transient(f"The cluster does not take previewbot's proof of who it is: {message}")
        case again if again in _AGAIN:
            pause = timedelta(seconds=int(retry_after)) if retry_after and retry_after.isdigit() else None
            return Transient(f"The cluster cannot {deed} now: {message}", retry_after=pause)
        case HTTPStatus.FORBIDDEN if "User" in message and "cannot" in message:
            return Transient(f"previewbot lacks a permission in the cluster: {message}")
    reason = Reason.QUOTA_EXCEEDED if _QUOTA in message else Reason.RUNTIME_REFUSED
    return Refused(reason, f"The cluster refuses to {deed}: {message}"[:_LONGEST])


def unknown(kind: Kind) -> Transient:
    """Say that a cluster has no such kind of things at all: it may be installed at any time."""
    told = f"The cluster does not know {kind.name} ({kind.plural}.{kind.group or 'core'}/{kind.version})"
    if kind.custom:
        return Transient(f"{told}: {remedy(kind)}")
    return Transient(f"{told}, so it is too old for previewbot, or no Kubernetes.")


def remedy(kind: Kind) -> str:
    """Say what to do in a cluster without such a kind."""
    if kind.custom:
        return "install the CustomResourceDefinitions of the Gateway API, or use Ingresses: remove kubernetes.gateway."
    return "use a cluster with Kubernetes 1.30 or newer."


def _message(said: bytes) -> str:
    text = _field(said, "message")
    if text is None:
        text = said[:200].decode("utf-8", "replace").strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _field(said: bytes, name: str) -> str | None:
    """Read one field of a ``Status``; ``None`` where it is no such thing."""
    try:
        return str(json.loads(said)[name])
    except (ValueError, KeyError, TypeError):
        return None
