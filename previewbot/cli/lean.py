"""What a process that runs for months need not hold in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_FINERY = ("pygments", "rich")


@contextmanager
def without_finery() -> Iterator[None]:
    """Import what draws on terminals, where it can, as if it could not.

    httpx brings a command of its own, and structlog colourful tracebacks with the value of every variable; both load
    rich for it where it is there, six megabytes, and do without where it is not.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment] # None: not to be found
    absent = [each for each in _FINERY if each not in modules]
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for each in absent:
            del modules[each]
