"""Errors, named by what happens next. An adapter raises these and nothing else on purpose."""

from __future__ import annotations

from datetime import timedelta


class Transient(Exception):  # noqa: N818 - named by what happens next
    """The world is unwell (a time-out, a 5xx, a rate limit): the same pass is tried again later."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        """``retry_after`` is how long the other side asked us to wait, where it did."""
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Transient):
    """Nothing is wrong: the other side counts what we ask of it, and has had enough until ``retry_after`` is over."""


class Refused(Exception):  # noqa: N818 - named by what happens next
    """A person must change something first; trying again without that is useless."""

    def __init__(self, reason: str, message: str) -> None:
        """``reason`` is one of ``core.model.Reason``'s values; ``message`` is a sentence for the comment."""
        super().__init__(message)
        self.reason = reason
        self.message = message
