"""A front door in memory."""

from __future__ import annotations

from collections.abc import Mapping

from previewbot.core.ids import Key


class FakeFrontDoor:
    """A ``ports.FrontDoor``; ``switches`` is every change, in order."""

    def __init__(self) -> None:
        self.routes: dict[Key, dict[str, tuple[str, ...]]] = {}
        self.switches: list[Mapping[str, tuple[str, ...]]] = []

    async def observe(self, key: Key) -> Mapping[str, tuple[str, ...]]:
        return dict(self.routes.get(key, {}))

    async def keys(self) -> frozenset[Key]:
        return frozenset(self.routes)

    async def route(self, key: Key, routes: Mapping[str, tuple[str, ...]]) -> None:
        self.switches.append(dict(routes))
        self.routes.pop(key, None)
        if routes:
            self.routes[key] = {host: tuple(sorted(each)) for host, each in routes.items()}

    async def check(self) -> str:
        return "a front door in memory"
