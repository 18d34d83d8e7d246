"""What images of others' say of themselves, asked of their registries as a stranger: no login of ours goes there.

It is only worth a look: what cannot be read is ``None``, whatever hinders it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from previewbot.adapters.buildkit.registry import Registry
from previewbot.core.errors import Refused, Transient

_HUB = "registry-1.docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io")
_PATIENCE = 10
_HOST = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?", re.ASCII)
_REPOSITORY = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*", re.ASCII)
_REFERENCE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}|sha256:[0-9a-f]{64}", re.ASCII)

Open = Callable[[str], Registry]
"""Opens a registry by its host."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is: its registry's host, its repository there, and its tag or digest."""

    host: str
    repository: str
    reference: str


def read_place(image: str) -> Place | None:
    """Read the name of an image as every engine does: ``redis:7`` is at Docker Hub. ``None``: it is none."""
    name, at, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    host, path = (first, rest) if is_host else ("docker.io", name)
    path, _, tag = path.partition(":")
    if host in _HUB_NAMES:
        host, path = _HUB, path if "/" in path else f"library/{path}"
    reference = digest if at else tag or "latest"
    checks = ((_HOST, host), (_REPOSITORY, path), (_REFERENCE, reference))
    return Place(host, path, reference) if all(each.fullmatch(text) for each, text in checks) else None


class Elsewhere:
    """Looks at images in any registry; ``own`` is the one host that may be at a private address."""

    def __init__(self, own: str, open_registry: Open) -> None:
        self._own = own
        self._open = open_registry
        self._users: dict[str, str] = {}

    async def user_of(self, image: str) -> str | None:
        """Read as whom an image's program runs, as its Dockerfile says it; what was read once is not asked again."""
        if image not in self._users:
            place = read_place(image)
            user = await self._ask(place) if place and self._is_open(place.host) else None
            if user is None:
                return None
            self._users[image] = user
        return self._users[image]

    def _is_open(self, host: str) -> bool:
        """Whether a commit may have us ask there: by a name that anybody could have, unless it is our own."""
        name = host.partition(":")[0]
        is_number = name.replace(".", "").isdigit()
        is_inside = "." not in name or name.endswith((".local", ".localhost", ".internal", ".svc"))
        return host == self._own or not (is_number or is_inside)

    async def _ask(self, place: Place) -> str | None:
        registry = self._open(place.host)
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await registry.config(place.repository, place.reference)
        except (Transient, Refused, TimeoutError):
            return None
        finally:
            await registry.aclose()
        return found.user if found else None
