"""Remembering what was found out about objects, for as long as none of them changes. It reads no object's content."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.core.ids import Key

T = TypeVar("T")


class Findings(Generic[T]):
    """One finding for each environment."""

    def __init__(self) -> None:
        self._found: dict[Key, tuple[object, T]] = {}

    def recall(self, key: Key, things: Iterable[Thing], find: Callable[[], T], *, beside: Hashable = None) -> T:
        """Give what was found out about just these objects in just this state, and ``beside`` just that, or find it."""
        state = frozenset((each["metadata"]["uid"], each["metadata"]["resourceVersion"]) for each in things), beside
        known = self._found.get(key)
        if known is None or known[0] != state:
            known = self._found[key] = (state, find())
        return known[1]

    def forget(self, key: Key) -> None:
        """Keep nothing of an environment that is gone."""
        self._found.pop(key, None)
