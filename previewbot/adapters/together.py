"""Doing several things at once, the way every adapter wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def every(tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do several things at once, all to their end; then raise the first error, if there was one."""
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    done: list[T] = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        done.append(end)
    return done
