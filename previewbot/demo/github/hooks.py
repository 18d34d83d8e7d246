"""Webhook deliveries of the simulated GitHub: signed, over real HTTP, logged, and never sent twice by themselves."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any

import httpx

from previewbot.demo.github.state import Attempt, State


class Hooks:
    """Delivers what happens to the App's webhook, one delivery after the other as GitHub mostly does."""

    def __init__(
        self, state: State, *, changed: Callable[[], None], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """``changed`` is called whenever the log changes; ``transport`` replaces real HTTP in tests."""
        self._state = state
        self._changed = changed
        self._transport = transport
        self._tasks: set[asyncio.Task[None]] = set()
        self.lose = False
        """Whether deliveries get lost on their way, as it happens."""

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made when there is something to deliver: reading the certificates of the world takes its time."""
        return httpx.AsyncClient(timeout=10, transport=self._transport, trust_env=False)

    async def aclose(self) -> None:
        """Wait for what is under way, and close the connections."""
        await self.settle()
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def settle(self) -> None:
        """Wait until everything that happened was delivered."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Deliver an event in the background."""
        if self._state.app.hook_url and event in {*self._state.app.events, *_ALWAYS}:
            action = payload.get("action")
            self._start(Attempt(next(self._state.ids), str(uuid.uuid4()), event, action, payload, self._state.now()))

    def again(self, id: int) -> bool:
        """Deliver an attempt's delivery once more, under its own guid; ``False`` where there is none."""
        found = next((each for each in self._state.attempts if each.id == id), None)
        if found is None:
            return False
        again = Attempt(next(self._state.ids), found.guid, found.event, found.action, found.payload, self._state.now())
        again.redelivery = True
        self._start(again)
        return True

    def _start(self, attempt: Attempt) -> None:
        self._state.attempts.append(attempt)
        task = asyncio.get_running_loop().create_task(self._deliver(attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, attempt: Attempt) -> None:
        body = json.dumps(attempt.payload).encode()
        attempt.began = time.monotonic()
        try:
            if self.lose:
                attempt.status_code = 504
                return
            answer = await self._client.post(
                self._state.app.hook_url, content=body, headers=sign(self._state.app.secret, body, attempt)
            )
            attempt.status_code = answer.status_code
        except httpx.HTTPError:
            attempt.status_code = 502
        finally:
            attempt.seconds = time.monotonic() - attempt.began
            self._changed()


def sign(secret: str, body: bytes, attempt: Attempt) -> dict[str, str]:
    """The headers of a delivery."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/simulated",
        "X-GitHub-Delivery": attempt.guid,
        "X-GitHub-Event": attempt.event,
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex(),
    }


_ALWAYS = ("installation", "installation_repositories", "ping")
"""Events that every App gets without asking."""
