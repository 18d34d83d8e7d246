"""Every sentence that people read about an environment: pure text from a status, never a decision.

Whatever comes from outside (titles, logins, output of builds) is fenced or escaped here, so that it can neither
break the layout of the comment nor mention anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Reason, Record, Removed, Run, ServiceLine, State, Status
from previewbot.wire import commands

_OUTPUT_LIMIT = 4000
"""Characters of output in a comment; the log page has the rest."""

SENTENCES: Mapping[Reason, str] = {
    Reason.SERVING: "it serves",
    Reason.IMAGES_BUILDING: "its images are being built",
    Reason.RELEASE_STARTING: "it is starting",
    Reason.HOOK_RUNNING: "its release hook or its first data runs",
    Reason.RESOURCES_STARTING: "its resources are starting",
    Reason.BUILD_FAILED: "the build failed",
    Reason.BUILD_TIMED_OUT: "the build took longer than it may",
    Reason.SOURCE_REFUSED: "its source cannot be used",
    Reason.BLUEPRINT_FLAWED: "previewbot.yaml has a flaw",
    Reason.NO_BLUEPRINT: "the repository has neither a previewbot.yaml nor a Dockerfile at its root",
    Reason.IMAGE_UNAVAILABLE: "an image cannot be had",
    Reason.CRASHED: "it does not stay up",
    Reason.UNHEALTHY: "it did not become healthy",
    Reason.HOOK_FAILED: "its release hook or its first data failed",
    Reason.RESOURCE_FAILED: "one of its resources does not work",
    Reason.SECRETS_MISSING: "secrets are not set",
    Reason.RUNTIME_REFUSED: "it cannot be run here",
    Reason.QUOTA_EXCEEDED: "it needs more than the quota of one preview",
    Reason.UNSCHEDULABLE: "the cluster has no room for it now",
    Reason.FORK: "it comes from a fork",
    Reason.AUTHOR_MAY_NOT_WRITE: "its author has no write permission",
    Reason.APP_NOT_ALLOWED: "its author is an App that the operator has not allowed",
    Reason.DRAFT: "it is a draft",
    Reason.LABEL_MISSING: "it does not carry the label that asks for a preview",
    Reason.LABEL_EXCLUDED: "it carries the label that forbids a preview",
    Reason.BRANCH_FILTERED: "its base branch is not one that gets previews",
    Reason.PATHS_FILTERED: "it changes nothing that needs a preview",
    Reason.TEARING_DOWN: "it is being removed",
    Reason.CLOSED: "the pull request was closed",
    Reason.MERGED: "the pull request was merged",
    Reason.UNINSTALLED: "previewbot can no longer see the pull request",
    Reason.ENGINE_AWAY: "previewbot cannot reach what it needs",
    Reason.INTERNAL: "previewbot failed; its operator was told",
}


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


def answer_marker(ask: int) -> str:
    """The invisible line of the answer to one comment."""
    return f"<!-- previewbot:answer:{ask} -->"


def sentence(status: Status) -> str:
    """Say in a clause why an environment is in its state, without Markdown."""
    text = SENTENCES[status.reason]
    return f"{text} ({plain(status.detail)})" if status.detail else text


def comment(key: Key, status: Status, context: Context) -> str:
    """Write the whole comment: state first, then the link, the reason, what to do, and the commands."""
    blocks = (_head(status, context), _flaws(status), _output(status), _advice(status), _table(status), _good(status))
    body = "\n\n".join(block for block in (*blocks, _foot(status, context)) if block)
    return f"{marker(key)}\n{body}\n"


def help_text(*, unknown: bool = False) -> str:
    """Answer ``/help``, or a command that previewbot does not know."""
    lead = "That is not a command of previewbot. It knows these, alone on the first line of a comment:"
    if not unknown:
        lead = "Write one of these, alone on the first line of a comment. They are for people who may write here."
    rows = "\n".join(f"| `/{name}` | {summary} |" for name, summary in commands.TABLE)
    return f"{lead}\n\n| command | what it does |\n|---|---|\n{rows}\n"


def ran(run: Run, lines: Sequence[str], log: str | None = None) -> str:
    """Answer ``/run`` when it is over; ``log`` is the page with all of its lines."""
    ended = "is done" if run.state is InstanceState.DONE else f"failed: it {_line(run.detail or 'did not end well')}"
    more = f"\n[All of it]({log})\n" if log else ""
    return f"**{run.service}** {ended}.\n" + (f"\n{_fenced(lines)}\n" if lines else "") + more


def withheld(names: Sequence[str]) -> str:
    """Say in a line, without Markdown, why nothing is shown of what a program said."""
    why = f"{', '.join(names)} changed since this was started" if names else "nobody remembers its secrets"
    return f"previewbot does not show this: {why}, so it could not hide the old value. It can again after /redeploy."


def runs_already(job: str) -> str:
    """Answer ``/run`` where the same job is under way."""
    return f"**{job}** runs already; write it again when that is over.\n"


def nothing_to_run(job: str, jobs: Sequence[str], *, why: str | None = None) -> str:
    """Answer ``/run`` where that cannot be; ``why`` nothing serves, where nothing does."""
    if why:
        return f"Nothing serves now, so nothing can be run: {_line(why)}.\n"
    there = f"It has {', '.join(f'`{each}`' for each in jobs)}." if jobs else "Its `previewbot.yaml` has no jobs."
    return f"This preview has no job `{_code(job)}`. {there}\n"


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
            held = f": {_line(status.detail)}" if status.detail else ""
            return f"**Removing the preview** since {_time(status.since)}{held}"
        case State.GONE:
            return _gone(status, context)


def _ready(status: Status, commit: str) -> str:
    main = next((line.url for line in status.services if line.url), None)
    took = f" · {_seconds(status.seconds)} from push to URL" if status.seconds is not None and main else ""
    link = f" · [{_bare(main)}]({main})" if main else ""
    return f"**Preview is ready**{link} · commit {commit}{took} · since {_time(status.since)}"


_FAILURES: Mapping[Reason, str] = {
    Reason.BUILD_FAILED: "**Build of {commit} failed** in {detail}",
    Reason.BUILD_TIMED_OUT: "**Build of {commit} took longer than it may** in {detail}",
    Reason.CRASHED: "**{commit} does not stay up**: {detail}",
    Reason.UNHEALTHY: "**{commit} does not become healthy**: {detail}",
    Reason.RESOURCE_FAILED: "**{commit} has nothing to work with**: {detail}",
    Reason.SECRETS_MISSING: "**{commit} lacks secrets**, so nothing was changed: {detail}",
    Reason.HOOK_FAILED: "**{commit} could not be released**: its {detail}",
    Reason.IMAGE_UNAVAILABLE: "**{commit} lacks an image**: {detail}",
    Reason.QUOTA_EXCEEDED: "**{commit} needs more than one preview may have**: {detail}",
    Reason.UNSCHEDULABLE: "**The cluster has no room for {commit} now**: {detail}",
    Reason.BLUEPRINT_FLAWED: "**previewbot.yaml has a flaw** at {commit}, so nothing was changed",
    Reason.NO_BLUEPRINT: "**There is nothing to run** at {commit}: {detail}",
    Reason.INTERNAL: "**previewbot failed** at {commit}; its operator was told, and it tries again by itself",
    Reason.ENGINE_AWAY: "**previewbot is waiting** with {commit}: {detail}. It tries again by itself",
}


def _failed(status: Status, commit: str) -> str:
    detail = _line(status.detail or SENTENCES[status.reason])
    said = _FAILURES.get(status.reason, "**{commit} cannot be previewed**: {detail}")
    return f"{said.format(commit=commit, detail=detail)} · since {_time(status.since)}"


_BARS: Mapping[Reason, str] = {
    Reason.FORK: "it comes from a fork (`{detail}`), and code from outside is not run here",
    Reason.AUTHOR_MAY_NOT_WRITE: "its author `{detail}` has no write permission in this repository",
    Reason.APP_NOT_ALLOWED: "its author `{detail}` is an App that previewbot's operator has not allowed",
    Reason.LABEL_EXCLUDED: "it carries the label `{detail}`",
    Reason.LABEL_MISSING: "it does not carry the label `{detail}`",
    Reason.BRANCH_FILTERED: "pull requests into `{detail}` get no previews",
    Reason.PATHS_FILTERED: "it changes none of the paths that need one (`{detail}`)",
}


def _because(status: Status) -> str:
    return _BARS.get(status.reason, SENTENCES[status.reason]).format(detail=_code(status.detail))


def _was_removed(status: Status) -> str:
    if not status.removed or not status.removed.total:
        return ""
    return f" The preview that it had is removed: {_counts(status.removed)}, checked gone at {_time(status.since)}."


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
        parts.append(f" Its destroy hook {_line(status.parting).rstrip('.')}{said}.")
    if status.repaired:
        parts.append(" GitHub's notice never arrived; previewbot found it by looking.")
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
        f"`{flaw.place}` {_line(flaw.problem)}" + (f"; {_line(flaw.fix)}" if flaw.fix else "")
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
    return f"{lead}{_fenced(status.lines)}"


def _fenced(lines: Sequence[str]) -> str:
    text = "\n".join(lines)[-_OUTPUT_LIMIT:]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


_AGAIN = "It is tried again by itself, every few minutes."
_ADVICE: Mapping[Reason, str] = {
    Reason.BUILD_FAILED: "Push a fix, or `/redeploy` if it was a hiccup.",
    Reason.BUILD_TIMED_OUT: "Make the build shorter, or ask the operator of previewbot for a longer limit.",
    Reason.CRASHED: "Push a fix, or `/redeploy` to try the same commit again.",
    Reason.UNHEALTHY: "Check `port` and `health` of the service, then push a fix or `/redeploy`.",
    Reason.RESOURCE_FAILED: "Check its `type`, `version` and `size`, then push a fix or `/redeploy`.",
    Reason.HOOK_FAILED: "Push a fix, or `/redeploy` to run it again.",
    Reason.SOURCE_REFUSED: "Push a commit without it.",
    Reason.BLUEPRINT_FLAWED: "Push a fix; `previewbot validate` finds the same flaws before you push.",
    Reason.NO_BLUEPRINT: "Add a `Dockerfile` at the root, or a `previewbot.yaml`.",
    Reason.IMAGE_UNAVAILABLE: f"{_AGAIN} Where the image's name is wrong, push a fix.",
    Reason.RUNTIME_REFUSED: "Ask the operator of previewbot, then `/redeploy`.",
    Reason.QUOTA_EXCEEDED: f"{_AGAIN} Ask for less in `previewbot.yaml`, or the operator for a larger quota.",
    Reason.UNSCHEDULABLE: f"{_AGAIN} Close previews that nobody needs, or ask the operator for room.",
    Reason.FORK: "Somebody with write permission can push the branch here and open the pull request from it.",
    Reason.AUTHOR_MAY_NOT_WRITE: "Somebody with write permission can open the pull request from the same branch.",
    Reason.APP_NOT_ALLOWED: "The operator of previewbot can allow it under `previews.apps` in the configuration.",
    Reason.LABEL_EXCLUDED: "Remove the label to get one.",
    Reason.LABEL_MISSING: "Add the label to get one.",
}


def _advice(status: Status) -> str:
    if status.reason is Reason.DRAFT:
        label = f", or add the label `{_code(status.detail)}`" if status.detail else ""
        return f"Mark it ready for review{label} to get one."
    if status.reason in _SPOKE and any("exec format error" in line.lower() for line in status.lines):
        return "It was built for another kind of processor, or is a script whose first line does not say what runs it."
    return _ADVICE.get(status.reason, "")


def _table(status: Status) -> str:
    if not status.services or status.state not in (State.READY, State.BUILDING, State.STARTING, State.FAILED):
        return ""
    rows = "\n".join(f"| {line.name} | {_address(line)} | {line.state} | {line.image} |" for line in status.services)
    return f"| service | | state | image |\n|---|---|---|---|\n{rows}"


def _address(line: ServiceLine) -> str:
    return f"[{_bare(line.url)}]({line.url})" if line.url else "inside"


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


def _code(text: str | None) -> str:
    """Make a text safe between two backticks."""
    return re.sub(r"[`\x00-\x1f\x7f]", " ", text or "").strip()[:200]


def _line(text: str) -> str:
    """Make a text safe as one line of prose: no breaks, no HTML, no mention of anybody."""
    flat = re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:500]
    return flat.replace("<", "&lt;").replace("@", "@\u200b").replace("](", "]\u200b(")


def plain(text: str | None) -> str:
    """Take the Markdown out of a detail, for pages and terminals."""
    return re.sub(r"[*`]", "", _line(text or "").replace("&lt;", "<").replace("\u200b", ""))


def summary(record: Record) -> str:
    """Say why a remembered environment is as it is, in a clause."""
    return sentence(record.status) if record.status else "never looked at"
