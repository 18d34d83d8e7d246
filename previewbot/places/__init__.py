"""The places where environments can run: for each, what builds, what runs, and what leads visitors there.

Like ``app``, this turns settings into adapters, knows everything and decides nothing. The client libraries of a place
are imported only where it is used. Another place is another module here, and another adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from previewbot.places.place import Place, Tools
from previewbot.settings import Settings

__all__ = ["Place", "Tools", "open_place"]


@asynccontextmanager
async def open_place(settings: Settings, tools: Tools) -> AsyncIterator[Place]:
    """Open the place that the configuration names. Raises ``Refused``, ``Transient``."""
    async with AsyncExitStack() as stack:
        match settings.runtime:
            case "docker":
                from previewbot.places import docker  # noqa: PLC0415

                yield docker.open_place(settings, tools, stack)
            case "kubernetes":
                from previewbot.places import kubernetes  # noqa: PLC0415

                yield await kubernetes.open_place(settings, tools, stack)
