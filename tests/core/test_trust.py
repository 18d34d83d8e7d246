"""Who may have code run here: facts alone decide, and in doubt nobody may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from previewbot.core.model import Permission, Person, PullRequest, Reason
from previewbot.core.trust import judge
from tests.core.facts import PULL

BOT = replace(PULL, author=Person("renovate[bot]", is_app=True))
FORK = replace(PULL, head_repository=8, head_full_name="someone/shop")


@pytest.mark.parametrize(
    ("pull", "permission", "apps", "reason"),
    [
        (PULL, Permission.ADMIN, (), None),
        (PULL, Permission.WRITE, (), None),
        (PULL, Permission.READ, (), Reason.AUTHOR_MAY_NOT_WRITE),
        (PULL, Permission.NONE, (), Reason.AUTHOR_MAY_NOT_WRITE),
        (FORK, Permission.ADMIN, (), Reason.FORK),
        (replace(PULL, head_repository=None, head_full_name=None), Permission.ADMIN, (), Reason.FORK),
        (BOT, Permission.NONE, (), Reason.APP_NOT_ALLOWED),
        (BOT, Permission.WRITE, (), Reason.APP_NOT_ALLOWED),
        (BOT, Permission.NONE, ("dependabot",), Reason.APP_NOT_ALLOWED),
        (BOT, Permission.NONE, ("renovate",), None),
        (BOT, Permission.NONE, ("Renovate[bot]",), None),
        (replace(BOT, head_repository=8), Permission.NONE, ("renovate",), Reason.FORK),
        (replace(PULL, author=Person("renovate")), Permission.READ, ("renovate",), Reason.AUTHOR_MAY_NOT_WRITE),
    ],
)
def test_only_writers_and_allowed_apps_from_the_repository_itself(
    pull: PullRequest, permission: Permission, apps: tuple[str, ...], reason: Reason | None
) -> None:
    distrust = judge(pull, permission, apps)
    assert (distrust.reason if distrust else None) == reason


def test_a_fork_that_nobody_can_name_any_more_is_said_to_be_gone() -> None:
    distrust = judge(replace(PULL, head_repository=None, head_full_name=None), Permission.ADMIN, ())
    assert distrust
    assert distrust.detail == "a repository that no longer exists"
