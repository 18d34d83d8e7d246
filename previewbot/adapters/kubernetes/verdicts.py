"""What the cluster shows of a service, as instances and in people's words. Pure: objects and the time in, facts out.

The vocabulary of pods and Deployments is that of https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from previewbot.adapters.kubernetes import words
from previewbot.adapters.kubernetes.kinds import Thing, is_ending
from previewbot.adapters.kubernetes.losses import lacks_secret
from previewbot.adapters.kubernetes.names import SCHEDULE, SERVICE
from previewbot.adapters.kubernetes.options import Patience
from previewbot.adapters.kubernetes.workload import HEALTH_COMMAND, HEALTH_PATH, PATIENCE, PORT
from previewbot.core.blueprint import Schedule
from previewbot.core.model import Instance, InstanceState, Reason

_IMAGE_TROUBLES = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_CONFIG_TROUBLES = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_OVERDUE = "DeadlineExceeded"
"""What the conditions of a job and the status of a pod say when their time was up."""
_SETTLED = timedelta(seconds=1)
"""A program without a port is ready once it has run for so long."""
_BEGIN_PATIENCE = timedelta(minutes=15)
"""How long an image may take to be pulled, and volumes to be mounted."""
_SYNC_PATIENCE = timedelta(seconds=60)
_DENIED_PATIENCE = timedelta(seconds=5)
_USUAL = Patience()
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a program began that never did, as a kubelet writes it."""
_EVICTIONS = 2
"""So many programs in a row that the cluster ended, and their service counts as failed."""
_RECENT = timedelta(minutes=15)
_LATE = ("failed to sync", "context deadline exceeded", "is reserved for")
"""What a node that has much to do says; it tries again by itself."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of one pod; ``look_at`` is when time alone may change it."""

    state: InstanceState
    detail: str | None = None
    reason: Reason | None = None
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """The instances of one service, and when time alone may change them."""

    instances: tuple[Instance, ...]
    look_at: datetime | None = None


def judge(deployment: Thing, pods: Sequence[Thing], now: datetime, patience: Patience = _USUAL) -> Sight:
    """Say how the instances of one service are; a pod that is not there yet is an instance that is starting."""
    wanted = deployment["spec"].get("replicas", 1)
    living = [each for each in pods if not is_ending(each) and not _is_over(each)]
    verdicts = sorted((judge_pod(each, now, patience) for each in living), key=_order)[:wanted]
    if len(verdicts) < wanted:
        absent = _absent(deployment, now)
        verdicts += [absent] * (wanted - len(verdicts))
    if ended := _ended_again_and_again(pods, now):
        verdicts = [ended if each.state is InstanceState.STARTING else each for each in verdicts]
    labels = deployment["metadata"]["labels"]
    port = _remark(deployment, PORT)
    address = f"{deployment['metadata']['name']}:{port}" if port else None
    service = labels.get(SERVICE, "")
    instances = tuple(
        Instance(
            service=service,
            index=index,
            state=each.state,
            address=address,
            detail=each.detail if each.state is InstanceState.FAILED else None,
            reason=each.reason,
        )
        for index, each in enumerate(verdicts)
    )
    return Sight(instances, min((each.look_at for each in verdicts if each.look_at), default=None))


def judge_job(job: Thing, pods: Sequence[Thing], now: datetime, patience: Patience = _USUAL) -> Sight:
    """Say how the one instance of a job is; until its end it is starting, unless its pod cannot begin."""
    conditions = {
        each["type"]: each for each in job.get("status", {}).get("conditions") or () if each["status"] == "True"
    }
    look_at = None
    if job["spec"].get("suspend"):
        verdict = Verdict(InstanceState.LAID)
    elif "Complete" in conditions or "SuccessCriteriaMet" in conditions:
        verdict = Verdict(InstanceState.DONE)
    elif failed := conditions.get("Failed") or conditions.get("FailureTarget"):
        verdict = Verdict(InstanceState.FAILED, _why_it_failed(job, failed, pods))
    else:
        waiting = [judge_pod(each, now, patience) for each in pods if not is_ending(each) and not _is_over(each)]
        begun = any((each.get("status") or {}).get("phase") == "Running" for each in pods)
        verdict = next(iter(waiting), Verdict(InstanceState.STARTING))
        if begun or verdict.state is not InstanceState.FAILED:
            verdict, look_at = Verdict(InstanceState.STARTING), None if begun else verdict.look_at
    detail = verdict.detail if verdict.state is InstanceState.FAILED else None
    service = job["metadata"]["labels"].get(SERVICE, "")
    written = (job["metadata"].get("annotations") or {}).get(SCHEDULE)
    instance = Instance(
        service,
        0,
        verdict.state,
        detail=detail,
        reason=verdict.reason,
        schedule=Schedule.read(written) if written else None,
    )
    return Sight((instance,), look_at)


def _why_it_failed(job: Thing, failed: Mapping[str, Any], pods: Sequence[Thing]) -> str:
    if _OVERDUE in (failed.get("reason"), *((pod.get("status") or {}).get("reason") for pod in pods)):
        return f"did not end within {job['spec']['template']['spec'].get('activeDeadlineSeconds')} s"
    evictions = (words.eviction(pod) for pod in pods)
    ends = (_last_exit(pod, each) for pod in pods for each in pod.get("status", {}).get("containerStatuses") or ())
    return next((each for each in (*evictions, *ends) if each), "ended badly")


_RANK = {InstanceState.READY: 0, InstanceState.FAILED: 1, InstanceState.STARTING: 2}


def _order(verdict: Verdict) -> int:
    return _RANK[verdict.state]


def _is_over(pod: Thing) -> bool:
    """Whether a pod was evicted or ended for good: its Deployment makes another one."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def _remark(deployment: Thing, name: str) -> str | None:
    remarks = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    found: str | None = remarks.get(name)
    return found


def _ended_again_and_again(pods: Sequence[Thing], now: datetime) -> Verdict | None:
    """Say why the cluster ended several programs of a service just now: left to itself it goes on like that."""
    ends = [(each, why) for each in pods if _is_over(each) and _is_recent(each, now) and (why := words.eviction(each))]
    if len(ends) < _EVICTIONS:
        return None
    pod, why = ends[-1]
    reason = Reason.CRASHED if words.is_its_own_fault(pod) else Reason.UNSCHEDULABLE
    return Verdict(InstanceState.FAILED, f"{why}, {len(ends)} times", reason)


def _is_recent(pod: Thing, now: datetime) -> bool:
    began = read_time(pod.get("status", {}).get("startTime"))
    return began is not None and now - began < _RECENT


def judge_pod(pod: Thing, now: datetime, patience: Patience = _USUAL) -> Verdict:
    """Say how one pod is."""
    status: Mapping[str, Any] = pod.get("status") or {}
    containers = status.get("containerStatuses") or [{}]
    container: Mapping[str, Any] = containers[0]
    waiting = (container.get("state") or {}).get("waiting") or {}
    why = waiting.get("reason", "")
    if why in _IMAGE_TROUBLES:
        detail = words.cannot_pull(waiting)
        verdict = Verdict(InstanceState.FAILED, detail, Reason.IMAGE_UNAVAILABLE)
        return _in_time(_scheduled(pod), now, patience.image, verdict)
    if why in _CONFIG_TROUBLES:
        verdict = Verdict(InstanceState.FAILED, words.cannot_run(waiting), Reason.RUNTIME_REFUSED)
        # A Secret that is gone is written again.
        is_late = any(each in str(waiting.get("message")) for each in _LATE) or lacks_secret(pod)
        return _in_time(_scheduled(pod), now, _SYNC_PATIENCE, verdict) if is_late else verdict
    if why == "CrashLoopBackOff":
        return Verdict(InstanceState.FAILED, _exits(pod, container, now), Reason.CRASHED)
    unschedulable = _unschedulable(status)
    if unschedulable:
        verdict = Verdict(InstanceState.FAILED, f"finds no room: {unschedulable}", Reason.UNSCHEDULABLE)
        return _in_time(read_time(pod["metadata"].get("creationTimestamp")), now, patience.room, verdict)
    if (container.get("state") or {}).get("running") and container.get("ready"):
        return _settling(pod, container, now)
    began = _began(container)
    if began is None:
        minutes = f"{_BEGIN_PATIENCE / timedelta(minutes=1):.0f} min"
        detail = f"has not begun to run after {minutes}: its node says {why or 'nothing'}"
        return _in_time(
            _scheduled(pod), now, _BEGIN_PATIENCE, Verdict(InstanceState.FAILED, detail, Reason.RUNTIME_REFUSED)
        )
    return _not_ready(pod, container, began, now)


def _scheduled(pod: Thing) -> datetime | None:
    """When its node took it, or when it was well last."""
    about = pod.get("status") or {}
    taken = about.get("startTime") or pod["metadata"].get("creationTimestamp")
    conditions = about.get("conditions") or ()
    fell = (each.get("lastTransitionTime") for each in conditions if each.get("type") == "ContainersReady")
    return max((at for at in map(read_time, (taken, *fell)) if at), default=None)


def _began(container: Mapping[str, Any]) -> datetime | None:
    """When its program began, as far back as the cluster remembers: restarts do not give it more time."""
    runs = (each for name in ("state", "lastState") for each in (container.get(name) or {}).values())
    times = (read_time(each.get("startedAt")) for each in runs)
    return min((at for at in times if at and at > _NEVER), default=None)


def _settling(pod: Thing, container: Mapping[str, Any], now: datetime) -> Verdict:
    started = read_time(container["state"]["running"].get("startedAt"))
    if PORT in _remarks(pod) or started is None or now - started >= _SETTLED:
        return Verdict(InstanceState.READY)
    return Verdict(InstanceState.STARTING, look_at=started + _SETTLED)


def _not_ready(pod: Thing, container: Mapping[str, Any], began: datetime, now: datetime) -> Verdict:
    patience = timedelta(seconds=int(_remarks(pod).get(PATIENCE, "60")))
    end = began + patience
    if now < end:
        return Verdict(InstanceState.STARTING, look_at=end)
    exited = None if (container.get("state") or {}).get("running") else _last_exit(pod, container)
    reason = Reason.CRASHED if exited else Reason.UNHEALTHY
    trouble = exited or _unanswered(_remarks(pod))
    return Verdict(InstanceState.FAILED, f"{trouble} after {patience.total_seconds():.0f} s", reason)


def _unanswered(remarks: Mapping[str, str]) -> str:
    if HEALTH_COMMAND in remarks:
        return "has a health command that does not end well"
    if HEALTH_PATH in remarks:
        return f"does not answer at {remarks[HEALTH_PATH]}"
    return f"does not listen on port {remarks[PORT]}" if PORT in remarks else "does not run"


def _in_time(since: datetime | None, now: datetime, patience: timedelta, verdict: Verdict) -> Verdict:
    """A verdict that holds only once its object has had some time."""
    end = (since or now) + patience
    return verdict if now >= end else Verdict(InstanceState.STARTING, look_at=end)


def _remarks(pod: Thing) -> Mapping[str, str]:
    return pod["metadata"].get("annotations") or {}


def _last_exit(pod: Thing, container: Mapping[str, Any]) -> str | None:
    """Say how a container ended last, if it ever did."""
    states = ((container.get(name) or {}).get("terminated") for name in ("state", "lastState"))
    ended: Mapping[str, Any] | None = next((each for each in states if each), None)
    return None if ended is None else words.ended(pod, ended)


def _exits(pod: Thing, container: Mapping[str, Any], now: datetime) -> str:
    times = container.get("restartCount", 0) + 1
    began = read_time((pod.get("status") or {}).get("startTime")) or now
    return f"{_last_exit(pod, container) or 'ends'}, {times} times in {max((now - began).total_seconds(), 1):.0f} s"


def _unschedulable(status: Mapping[str, Any]) -> str | None:
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return words.short(each.get("message") or each.get("reason") or "no node takes it")
    return None


def _absent(deployment: Thing, now: datetime) -> Verdict:
    """Say why a pod is not there: it is only being made, unless the cluster refuses to make it."""
    for each in deployment.get("status", {}).get("conditions") or ():
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            message = str(each.get("message", ""))
            reason = Reason.QUOTA_EXCEEDED if "exceeded quota" in message else Reason.RUNTIME_REFUSED
            detail = f"may not be started: {words.short(message.partition(': ')[2] or message)}"
            made = read_time(deployment["metadata"].get("creationTimestamp"))
            return _in_time(made, now, _DENIED_PATIENCE, Verdict(InstanceState.FAILED, detail, reason))
    return Verdict(InstanceState.STARTING)


def read_time(text: str | None) -> datetime | None:
    """Read a time as the API writes it."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
