"""Database work that a cancelled caller does not cut in two: a connection torn out of its work would keep its lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_under_way: set[asyncio.Task[Any]] = set()  # the event loop alone would not keep them alive


def whole(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Let a method run to its end also where its caller is cancelled; the caller stops once it is over."""

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.create_task(method(*args, **kwargs))
        _under_way.add(task)
        task.add_done_callback(_over)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    return run


def _over(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # whoever was cancelled does not ask for it
