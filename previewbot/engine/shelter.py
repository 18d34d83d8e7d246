"""What repeats for ever outlives whatever one turn of it meets: the log tells of that, and the next turn comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from previewbot.core.errors import Refused, Transient

log = structlog.get_logger(__name__)


@contextmanager
def sheltered(part: str) -> Iterator[None]:
    """End what fails inside, and nothing else; a bug leaves its traceback."""
    try:
        yield
    except (Transient, Refused) as error:
        log.warning("put off", part=part, why=str(error))
    except Exception:
        log.exception("bug", part=part)
