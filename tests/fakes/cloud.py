"""A cloud in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from previewbot.core.blueprint import Resource, ResourceType
from previewbot.core.ids import Key
from previewbot.ports import Credentials, Value


@dataclass
class FakeCloud:
    """What was made, and how often."""

    there: dict[tuple[Key, str], ResourceType] = field(default_factory=dict)
    made: int = 0
    rounds: int = 1
    """How many calls a deletion takes."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    async def provide(self, key: Key, app: str, resource: Resource) -> Credentials:
        self.there[key, resource.name] = resource.type
        self.made += 1
        number = next(self._numbers)
        return Credentials(f"AKIA{number}", Value(f"cloud-secret-{number}"))

    async def delete(self, key: Key) -> bool:
        self.rounds -= 1
        if self.rounds > 0:
            return False
        self.there = {each: type_ for each, type_ in self.there.items() if each[0] != key}
        return True

    async def keys(self) -> frozenset[Key]:
        return frozenset(key for key, _ in self.there)

    async def check(self) -> str:
        return "a cloud in memory"
