"""What people ask for in comments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from previewbot.core.ids import Key


class Command(StrEnum):
    """What a comment can ask for."""

    REDEPLOY = "redeploy"
    RUN = "run"
    HELP = "help"
    UNKNOWN = "unknown"
    """It was meant for previewbot, but is none of its commands."""


class AskState(StrEnum):
    """How far a request in a comment got."""

    NEW = "new"
    SEEN = "seen"
    BEGUN = "begun"
    """A job runs because of it, and is never begun again."""
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ask:
    """One command in one comment. ``id`` is the comment's number, so a redelivery is the same ask."""

    id: int
    key: Key
    login: str
    command: Command
    state: AskState = AskState.NEW
    argument: str = ""
    """The job that is to run."""
