"""Counting what work came to, in the words of ``ports.Outcome``; it neither hides an error nor makes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from previewbot.core.errors import Refused, Transient
from previewbot.ports import Outcome


@contextmanager
def counted(tell: Callable[[Outcome], None]) -> Iterator[None]:
    """Tell what the work inside came to; work that is cancelled came to nothing yet."""
    try:
        yield
    except Exception as error:
        tell(_outcome(error))
        raise
    tell(Outcome.DONE)


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, Transient):
        return Outcome.TRANSIENT
    return Outcome.REFUSED if isinstance(error, Refused) else Outcome.BUG
