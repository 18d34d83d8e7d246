"""Every sentence that answers a command in a comment: pure text, never a decision."""

from __future__ import annotations

from collections.abc import Sequence

from previewbot.core.model import InstanceState, Run
from previewbot.wire import commands, safe


def marker(ask: int) -> str:
    """The invisible line of the answer to one comment."""
    return f"<!-- previewbot:answer:{ask} -->"


def help_text(*, unknown: bool = False) -> str:
    """Answer ``/help``, or a command that previewbot does not know."""
    lead = "That is not a command of previewbot. It knows these, alone on the first line of a comment:"
    if not unknown:
        lead = "Write one of these, alone on the first line of a comment; that takes write permission here:"
    rows = "\n".join(f"| `/{name}` | {summary} |" for name, summary in commands.TABLE)
    return f"{lead}\n\n| command | what it does |\n|---|---|\n{rows}\n"


def ran(run: Run, lines: Sequence[str], log: str | None = None) -> str:
    """Answer ``/run`` when it is over; ``log`` is the page with all of its lines."""
    ended = (
        "is done" if run.state is InstanceState.DONE else f"failed: it {safe.line(run.detail or 'did not end well')}"
    )
    more = f"\n[All of it]({log})\n" if log else ""
    return f"**{run.service}** {ended}.\n" + (f"\n{safe.fenced(lines)}\n" if lines else "") + more


def withheld(names: Sequence[str]) -> str:
    """Say in a line, without Markdown, why nothing is shown of what a program said."""
    why = f"{', '.join(names)} changed since this was started" if names else "nobody remembers its secrets"
    return f"previewbot does not show this: {why}, so it could not hide the old value. It can again after /redeploy."


def runs_already(job: str) -> str:
    """Answer ``/run`` where the same job is under way."""
    return f"**{job}** is already running; ask again when it has finished.\n"


def nothing_to_run(job: str, jobs: Sequence[str], *, why: str | None = None) -> str:
    """Answer ``/run`` where that cannot be; ``why`` nothing serves, where nothing does."""
    if why:
        return f"No release is serving, so no job can run: {safe.line(why)}.\n"
    there = f"It has {', '.join(f'`{each}`' for each in jobs)}." if jobs else "Its `previewbot.yaml` has no jobs."
    return f"This preview has no job `{safe.code(job)}`. {there}\n"
