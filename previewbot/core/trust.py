"""Whether the code of a pull request may be built here, decided from facts alone. In doubt it may not.

An unapproved commit causes zero builds and zero reads of secrets; what is decided here is decided before its code
is even fetched.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from previewbot.core.model import Permission, PullRequest, Reason


@dataclass(frozen=True, slots=True)
class Distrust:
    """Why a pull request gets no preview, with the words that belong to it."""

    reason: Reason
    detail: str


def judge(pull: PullRequest, permission: Permission, allowed_apps: Collection[str]) -> Distrust | None:
    """Say why code must not run, or ``None`` where it may.

    ``permission`` is the author's in the repository now; ``allowed_apps`` holds logins of GitHub Apps, with or
    without their ``[bot]``. The author counts even for branches of the repository itself: somebody who may only
    read can open a pull request between two existing branches.
    """
    if pull.is_fork:
        return Distrust(Reason.FORK, pull.head_full_name or "a repository that no longer exists")
    if pull.author.is_app:
        return None if _is_allowed(pull.author.login, allowed_apps) else Distrust(Reason.APP_NOT_ALLOWED, _name(pull))
    return None if permission.writes else Distrust(Reason.AUTHOR_MAY_NOT_WRITE, _name(pull))


def _name(pull: PullRequest) -> str:
    return pull.author.login


def _is_allowed(login: str, allowed_apps: Collection[str]) -> bool:
    plain = login.lower().removesuffix("[bot]")
    return any(plain == each.lower().removesuffix("[bot]") for each in allowed_apps)
