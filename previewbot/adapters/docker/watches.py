"""The watches over all containers of an instance, by environment; begun when needed, ended with their containers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from previewbot.adapters.docker.checkup import Checkup
from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.facts import Facts
from previewbot.adapters.docker.watch import Verdict, Watch, shown
from previewbot.core.ids import Key
from previewbot.core.model import InstanceState

_FIRST_LOOK = 0.5
"""Seconds that an observation waits for the first look at a container that was not watched yet."""


class Watches:
    """Who is watched; ``tell`` is called with an environment's key whenever a verdict on it changes."""

    def __init__(
        self, engine: Engine, inspect: Callable[[str], Awaitable[Facts | None]], tell: Callable[[Key], None]
    ) -> None:
        self._engine = engine
        self._inspect = inspect
        self._tell = tell
        self._watches: dict[Key, dict[str, Watch]] = {}

    def begin(self, key: Key, facts: Facts) -> None:
        """Watch a container that was just started."""
        self.end(key, [facts.id])
        self._watch(key, facts, 0)

    async def judge(self, key: Key, facts: Facts) -> Verdict:
        """Say what is known of a container, and watch it where that is not enough."""
        watch = self._watches.get(key, {}).get(facts.id)
        if watch is None:
            # It ran before this process did: one look now, so that what is ready does not seem to be starting.
            watch = self._watch(key, facts, facts.restarts)
            await watch.first_look(_FIRST_LOOK)
        elif watch.is_over and shown(watch.verdict, facts).state is not InstanceState.READY:
            watch = self._watch(key, facts, watch.restarts)
        return shown(watch.verdict, facts)

    def is_ready(self, key: Key, id: str) -> bool:
        """Whether a container was seen to answer."""
        watch = self._watches.get(key, {}).get(id)
        return watch is not None and watch.verdict.state is InstanceState.READY

    def has_failed(self, key: Key, id: str) -> bool:
        """Whether a container was judged to be hopeless."""
        watch = self._watches.get(key, {}).get(id)
        return watch is not None and watch.verdict.state is InstanceState.FAILED

    def end(self, key: Key, ids: Collection[str]) -> None:
        """Stop watching these containers."""
        own = self._watches.get(key, {})
        for each in ids:
            if watch := own.pop(each, None):
                watch.end()
        if not own:
            self._watches.pop(key, None)

    def keep_only(self, key: Key, ids: Collection[str]) -> None:
        """Stop watching the containers of an environment that are not among these."""
        self.end(key, [each for each in self._watches.get(key, {}) if each not in ids])

    def close(self) -> None:
        """Stop watching."""
        for key, own in list(self._watches.items()):
            self.end(key, list(own))

    def _watch(self, key: Key, facts: Facts, base: int) -> Watch:
        command = facts.target.health.command
        checkup = Checkup(self._engine, facts.id, command) if command else None
        watch = Watch(facts, inspect=self._inspect, checkup=checkup, changed=lambda: self._tell(key), base=base)
        self._watches.setdefault(key, {})[facts.id] = watch
        return watch
