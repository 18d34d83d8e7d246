"""Who the App is: what it proves itself with, and what GitHub says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """What the App proves itself with. Its text never shows the key.

    ``private_key`` is the PEM that GitHub made; ``api_url`` is ``https://<host>/api/v3`` on an Enterprise server.
    """

    app_id: int
    private_key: str
    api_url: str = "https://api.github.com"

    def __repr__(self) -> str:
        """Hide the key."""
        return f"AppCredentials(app_id={self.app_id}, private_key=…, api_url={self.api_url!r})"


@dataclass(frozen=True, slots=True)
class AppDescription:
    """The App as GitHub shows it (``GET /app``)."""

    slug: str
    page: str
    """Its address on GitHub, where people install it."""
    id: int
    permissions: Mapping[str, str]
    """Name to ``read``, ``write`` or ``admin``."""
    events: frozenset[str]
    installations: int
    clock_skew: timedelta
    """How far this machine's clock is ahead of GitHub's; negative where it is behind. Good to about a second."""
