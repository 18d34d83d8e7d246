"""What every shape is made of: times, node ids, and the accounts that things belong to."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from previewbot.demo.github.state import Account, State

Json = dict[str, Any]


_LISTINGS = (
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "repos",
    "events",
    "received_events",
)
"""What an account has URLs of."""


def time(at: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def node(kind: str, id: int) -> str:
    """An id of GitHub's other API, which nobody here reads."""
    return base64.b64encode(f"{kind}:{id}".encode()).decode()


class Accounts:
    """Writes accounts; every URL in them begins with ``base``."""

    def __init__(self, base: str, state: State) -> None:
        self.base = base
        self.state = state

    def account(self, account: Account) -> Json:
        """A simple user."""
        url = f"{self.base}/users/{account.login}"
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node("User", account.id),
            "avatar_url": f"{self.base}/avatars/{account.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.base}/{account.login}",
            **{f"{name}_url": f"{url}/{name}" for name in _LISTINGS},
            "type": account.type,
            "site_admin": False,
        }

    def organization(self, account: Account) -> Json:
        """An organisation, as payloads of events name it."""
        url = f"{self.base}/orgs/{account.login}"
        names = ("repos", "events", "hooks", "issues", "members", "public_members")
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node("Organization", account.id),
            "url": url,
            **{f"{name}_url": f"{url}/{name}" for name in names},
            "avatar_url": f"{self.base}/avatars/{account.id}",
            "description": "",
        }

    def by(self, login: str) -> Json:
        """The simple user of this name."""
        return self.account(self.state.account(login))
