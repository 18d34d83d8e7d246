"""Every sentence that people read about an environment: pure text from a status, never a decision.

Whatever comes from outside (titles, logins, output of builds) is made ``safe``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core.ids import Key
from previewbot.core.model import Reason, Record, Removed, ServiceLine, State, Status, Untold
from previewbot.wire import safe
from previewbot.wire.sentences import ADVICE, BARS, FAILURES, SENTENCES

_NAMES = 8
"""Names of variables in one sentence."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a comment says beside its status."""

    base_url: str
    """Where previewbot's own pages are."""

    def log(self, name: str) -> str:
        """The page of a build's log."""
        return f"{self.base_url}/logs/{name}"


def marker(key: Key) -> str:
    """The invisible line by which the one comment is found again."""
    return f"<!-- previewbot:{key} -->"


def sentence(status: Status) -> str:
    """Say in a clause why an environment is in its state, without Markdown."""
    text = SENTENCES[status.reason]
    return f"{text} ({safe.plain(status.detail)})" if status.detail else text


def comment(key: Key, status: Status, context: Context) -> str:
    """Write the whole comment: state first, then the link, the reason, what to do, and the commands."""
    blocks = (_head(status, context), _flaws(status), _output(status), _advice(status), _table(status), _good(status))
    body = "\n\n".join(block for block in (*blocks, _foot(status, context)) if block)
    return f"{marker(key)}\n{body}\n"


# --- the head: one line that is enough ------------------------------------------------------------------------------


def _head(status: Status, context: Context) -> str:
    commit = f"`{status.commit[:7]}`" if status.commit else "this commit"
    log = f" · [live log]({context.log(status.log)})" if status.log else ""
    match status.state:
        case State.BUILDING:
            return f"**Building** {commit} since {_time(status.since)}{log}"
        case State.STARTING:
            return f"**Starting** {commit} since {_time(status.since)}"
        case State.READY:
            return _ready(status, commit)
        case State.FAILED:
            return _failed(status, commit)
        case State.SKIPPED:
            return f"**No preview for this pull request**: {_because(status)}.{_was_removed(status)}"
        case State.REMOVING:
            held = f": {safe.line(status.detail)}" if status.detail else ""
            return f"**Removing the preview** since {_time(status.since)}{held}"
        case State.GONE:
            return _gone(status, context)


def _ready(status: Status, commit: str) -> str:
    main = next((line.url for line in status.services if line.url), None)
    asked = "`/redeploy`" if status.is_asked_for else "push"
    took = f" · {_seconds(status.seconds)} from {asked} to URL" if status.seconds is not None and main else ""
    start = f" · started in {_seconds(status.start_seconds)}" if status.start_seconds is not None else ""
    link = f" · [{_bare(main)}]({main})" if main else ""
    return f"**Preview is ready**{link} · commit {commit}{took}{start} · since {_time(status.since)}"


def _failed(status: Status, commit: str) -> str:
    detail = safe.line(status.detail or SENTENCES[status.reason])
    said = FAILURES.get(status.reason, "**{commit} cannot be previewed**: {detail}")
    return f"{said.format(commit=commit, detail=detail)} · since {_time(status.since)}"


def _because(status: Status) -> str:
    return BARS.get(status.reason, SENTENCES[status.reason]).format(detail=safe.code(status.detail))


def _was_removed(status: Status) -> str:
    if not status.removed or not status.removed.total:
        return ""
    return f" Its earlier preview was removed: {_counts(status.removed)}, checked gone at {_time(status.since)}."


def _gone(status: Status, context: Context) -> str:
    why = {Reason.MERGED: "when the pull request was merged", Reason.CLOSED: "when the pull request was closed"}
    parts = [f"**Preview removed** {why.get(status.reason, 'because previewbot can no longer see the pull request')}"]
    counts = _counts(status.removed) if status.removed else "nothing was left to remove"
    parts.append(f": {counts}, checked gone at {_time(status.since, exact=True)}.")
    if status.lived and status.commits:
        served = f"{status.commits} commit{'s' if status.commits != 1 else ''}"
        parts.append(f" It lived {_long(status.lived)} and served {served}.")
    if status.parting:
        said = f" ([what it said]({context.log(status.log)}))" if status.log else ""
        parts.append(f" Its destroy hook {safe.line(status.parting).rstrip('.')}{said}.")
    if status.repaired:
        parts.append(" GitHub's webhook did not arrive; a routine check found the closed pull request.")
    return "".join(parts)


def _counts(removed: Removed) -> str:
    pairs = (
        (removed.containers, "container"),
        (removed.networks, "network"),
        (removed.volumes, "volume"),
        (removed.namespaces, "namespace"),
    )
    said = [f"{count} {word}{'s' if count != 1 else ''}" for count, word in pairs if count]
    return ", ".join(said) or "nothing was left to remove"


# --- the blocks below -----------------------------------------------------------------------------------------------


def _flaws(status: Status) -> str:
    rows = [
        f"`{flaw.place}` {safe.line(flaw.problem)}" + (f"; {safe.line(flaw.fix)}" if flaw.fix else "")
        for flaw in status.flaws[:10]
    ]
    more = len(status.flaws) - len(rows)
    return "\n".join(f"- {row}" for row in (*rows, *((f"and {more} more",) if more > 0 else ())))


_SPOKE = (Reason.CRASHED, Reason.UNHEALTHY, Reason.HOOK_FAILED, Reason.RESOURCE_FAILED)
"""Reasons whose output is a program's, not a build's."""


def _output(status: Status) -> str:
    if not status.lines:
        return ""
    lead = "Its last lines:\n" if status.reason in _SPOKE else ""
    return f"{lead}{safe.fenced(status.lines)}"


def _advice(status: Status) -> str:
    if status.reason is Reason.DRAFT:
        label = f", or add the label `{safe.code(status.detail)}`" if status.detail else ""
        return f"Mark it ready for review{label} to get one."
    if status.reason in _SPOKE and any("exec format error" in line.lower() for line in status.lines):
        return "It was built for another kind of processor, or is a script whose first line does not say what runs it."
    advice = ADVICE.get(status.reason, "")
    return f"{_lack(status.untold)} {advice}" if status.untold else advice


def _lack(untold: Untold) -> str:
    """Say which variables a program asked for in vain, and where they belong."""
    it = "it" if len(untold.names) == 1 else "them"
    told = f"It is given no {_names(untold.names, 'or')}: add {it} to the service's `env` or `secrets`"
    there = f", where it has {_names(untold.given, 'and')}" if untold.given else ""
    return f"{told} in `previewbot.yaml`{there}."


def _names(names: Sequence[str], word: str) -> str:
    """``A``, ``B`` and ``C``."""
    shown = [f"`{safe.code(each)}`" for each in names[:_NAMES]]
    if len(names) > _NAMES:
        return f"{', '.join(shown)} {word} {len(names) - _NAMES} more"
    *first, last = shown
    return f"{', '.join(first)} {word} {last}" if first else last


def _table(status: Status) -> str:
    if not status.services or status.state not in (State.READY, State.BUILDING, State.STARTING, State.FAILED):
        return ""
    rows = "\n".join(f"| {line.name} | {_address(line)} | {line.state} | {line.image} |" for line in status.services)
    return f"| service | | state | image |\n|---|---|---|---|\n{rows}"


def _address(line: ServiceLine) -> str:
    if line.url:
        return f"[open]({line.url})"
    return "inside" if line.has_port else "–"


def _good(status: Status) -> str:
    good = status.last_good
    url = next(iter(good.urls.values()), None) if good else None
    if good is None or url is None:
        return ""
    if good.commit == status.commit:
        if status.state in (State.BUILDING, State.STARTING):
            return f"Until then `{good.commit[:7]}` keeps serving as it was at [{_bare(url)}]({url})."
        return f"An earlier build of the same commit is still at [{_bare(url)}]({url})."
    return f"The last good version `{good.commit[:7]}` is still at [{_bare(url)}]({url})."


def _foot(status: Status, context: Context) -> str:
    if status.state in (State.GONE, State.REMOVING):
        return ""
    parts = ["`/redeploy` rebuild from scratch"] if status.state is not State.SKIPPED else []
    parts.append("`/help` more")
    if status.log and status.state is not State.BUILDING:
        kind = "build log" if status.reason in (Reason.BUILD_FAILED, Reason.BUILD_TIMED_OUT) else "log"
        parts.append(f"[{kind}]({context.log(status.log)})")
    if status.state is State.READY:
        parts.append("gone when this pull request closes")
    return f"<sub>{' · '.join(parts)}</sub>"


# --- words ----------------------------------------------------------------------------------------------------------


def _time(at: datetime, *, exact: bool = False) -> str:
    return at.strftime("%H:%M:%S UTC" if exact else "%Y-%m-%d %H:%M UTC")


def _seconds(length: float) -> str:
    return f"{length:.1f} s" if length < 10 else f"{length:.0f} s"  # noqa: PLR2004 - a tenth matters only below that


def _long(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {word}{'s' if count != 1 else ''}"
    return f"{int(length.total_seconds())} seconds"


def _bare(url: str | None) -> str:
    return (url or "").partition("://")[2].rstrip("/")


def summary(record: Record) -> str:
    """Say why a remembered environment is as it is, in a clause."""
    return sentence(record.status) if record.status else "never looked at"
