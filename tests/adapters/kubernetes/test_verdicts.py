"""What the cluster shows, in people's words: pods as a kubelet reports them, and Deployments that cannot have any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from previewbot.adapters.kubernetes.endings import ending
from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.options import Patience
from previewbot.adapters.kubernetes.verdicts import judge, judge_job, judge_pod
from previewbot.core.model import InstanceState, Reason

BORN = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)
STARTED = "2026-01-02T03:04:00Z"
READY, STARTING, FAILED = InstanceState.READY, InstanceState.STARTING, InstanceState.FAILED
WEB = {"previewbot.dev/port": "8080", "previewbot.dev/patience": "30", "previewbot.dev/health-path": "/healthz"}
RUNNING = {"running": {"startedAt": STARTED}}


def _pod(container: dict[str, Any] | None = None, *, remarks: dict[str, str] | None = None, **status: Any) -> Thing:
    about = {"name": "web-1", "creationTimestamp": STARTED, "annotations": WEB if remarks is None else remarks}
    statuses = {} if container is None else {"containerStatuses": [container]}
    containers = [{"name": "app", "resources": {"limits": {"memory": "512Mi"}}}]
    return {
        "kind": "Pod",
        "metadata": about,
        "spec": {"containers": containers},
        "status": {"startTime": STARTED, **status, **statuses},
    }


def _waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "ready": False, **more}


def _ended(code: int, reason: str = "Error", message: str = "", began: str = STARTED) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, "startedAt": began}}


def _evicted(message: str) -> Thing:
    return _pod(phase="Failed", reason="Evicted", message=message)


NEVER = "1970-01-01T00:00:00Z"
NO_FORMAT = 'failed to start: runc: exec: "/app": exec format error: unknown'
BACK_OFF = 'Back-off pulling image "nginx:nope": '
_LONG = f'"registry.example.com/previews/main@sha256:{"0" * 64}"'
SHUT = (
    f"failed to pull and unpack image {_LONG}: failed to resolve reference {_LONG}: unexpected status from HEAD request"
)
SHUT = f"rpc error: code = Unknown desc = {SHUT}: 401 Unauthorized"
DENIED = "pull access denied, repository does not exist or may require authorization"
LOGIN = "previewbot's operator has to give the cluster a login that may (registry.pull_secret_file)"
NO_ROOM = [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient memory."}]

CASES: list[tuple[str, Thing, int, InstanceState, Reason | None, str | None]] = [
    ("it was only just made", _pod(), 0, STARTING, None, None),
    ("it is ready", _pod({"state": RUNNING, "ready": True}), 1, READY, None, None),
    ("a worker runs for half a moment", _pod({"state": RUNNING, "ready": True}, remarks={}), 0, STARTING, None, None),
    ("a worker runs", _pod({"state": RUNNING, "ready": True}, remarks={}), 1, READY, None, None),
    ("its probe fails, for now", _pod({"state": RUNNING, "ready": False}), 29, STARTING, None, None),
    (
        "its probe failed for too long",
        _pod({"state": RUNNING, "ready": False}),
        30,
        FAILED,
        Reason.UNHEALTHY,
        "does not answer at /healthz after 30 s",
    ),
    (
        "it never listened",
        _pod({"state": RUNNING, "ready": False}, remarks={"previewbot.dev/port": "8080"}),
        60,
        FAILED,
        Reason.UNHEALTHY,
        "does not listen on port 8080 after 60 s",
    ),
    (
        "it exits again and again",
        _pod(_waiting("CrashLoopBackOff", restartCount=1, lastState=_ended(3))),
        2,
        FAILED,
        Reason.CRASHED,
        "exits with code 3, 2 times in 2 s",
    ),
    (
        "it ate its memory",
        _pod(_waiting("CrashLoopBackOff", restartCount=2, lastState=_ended(137, "OOMKilled"))),
        20,
        FAILED,
        Reason.CRASHED,
        "was killed: out of memory (limit 512 MiB), 3 times in 20 s",
    ),
    (
        "it was built for another processor",
        _pod(_waiting("CrashLoopBackOff", restartCount=1, lastState=_ended(128, "StartError", NO_FORMAT, NEVER))),
        3,
        FAILED,
        Reason.CRASHED,
        "was built for another kind of processor, or is a script that does not say what runs it, 2 times in 3 s",
    ),
    (
        "it could not be started once",
        _pod({"state": _ended(128, "StartError", NO_FORMAT, NEVER), "ready": False, "restartCount": 0}),
        3,
        STARTING,
        None,
        None,
    ),
    (
        "it was killed by somebody",
        _pod(_waiting("CrashLoopBackOff", restartCount=1, lastState=_ended(137))),
        2,
        FAILED,
        Reason.CRASHED,
        "exits with code 137 (SIGKILL), 2 times in 2 s",
    ),
    ("its large image is being pulled", _pod(_waiting("ContainerCreating")), 600, STARTING, None, None),
    (
        "its image took long, and then it listened late",
        _pod({"state": {"running": {"startedAt": "2026-01-02T03:09:00Z"}}, "ready": False}),
        329,
        STARTING,
        None,
        None,
    ),
    (
        "its node never begins with it",
        _pod(_waiting("ContainerCreating")),
        900,
        FAILED,
        Reason.RUNTIME_REFUSED,
        "has not begun to run after 15 min: its node says ContainerCreating",
    ),
    (
        "restarts give it no more time",
        _pod(
            {
                "state": {"running": {"startedAt": "2026-01-02T03:04:29Z"}},
                "lastState": _ended(1),
                "ready": False,
                "restartCount": 1,
            }
        ),
        30,
        FAILED,
        Reason.UNHEALTHY,
        "does not answer at /healthz after 30 s",
    ),
    ("its pull may be a hiccup", _pod(_waiting("ErrImagePull", "not found")), 29, STARTING, None, None),
    (
        "its image is not there",
        _pod(_waiting("ImagePullBackOff", f"{BACK_OFF}ErrImagePull: rpc error: code = NotFound desc = not\n  found")),
        30,
        FAILED,
        Reason.IMAGE_UNAVAILABLE,
        "cannot pull its image: not found",
    ),
    (
        "its registry lets nobody in who has no login",
        _pod(_waiting("ImagePullBackOff", BACK_OFF + SHUT)),
        30,
        FAILED,
        Reason.IMAGE_UNAVAILABLE,
        f"may not pull its image (unexpected status from HEAD request: 401 Unauthorized): {LOGIN}",
    ),
    (
        "its image is private, or there is none",
        _pod(_waiting("ErrImagePull", DENIED)),
        30,
        FAILED,
        Reason.IMAGE_UNAVAILABLE,
        f"may not pull its image ({DENIED}): where the image's name is right, {LOGIN}",
    ),
    (
        "nobody says why its image is not there",
        _pod(_waiting("ImagePullBackOff", 'Back-off pulling image "nginx:nope"')),
        30,
        FAILED,
        Reason.IMAGE_UNAVAILABLE,
        'cannot pull its image: Back-off pulling image "nginx:nope"',
    ),
    (
        "its image is made for others",
        _pod(_waiting("ErrImagePull", "no match for platform in manifest: not found")),
        30,
        FAILED,
        Reason.IMAGE_UNAVAILABLE,
        "has an image that is not made for the processors of this cluster",
    ),
    (
        "its node has much to do",
        _pod(_waiting("CreateContainerError", "context deadline exceeded")),
        59,
        STARTING,
        None,
        None,
    ),
    (
        "its secret comes late",
        _pod(_waiting("CreateContainerConfigError", "failed to sync secret cache: timed out")),
        5,
        STARTING,
        None,
        None,
    ),
    (
        "its secret was deleted, and is written again",
        _pod(_waiting("CreateContainerConfigError", 'secret "web-r1" not found')),
        59,
        STARTING,
        None,
        None,
    ),
    (
        "it was well for long before its secret was deleted",
        _pod(
            _waiting("CreateContainerConfigError", 'secret "web-r1" not found'),
            conditions=[{"type": "ContainersReady", "status": "False", "lastTransitionTime": "2026-01-02T04:04:00Z"}],
        ),
        3600 + 59,
        STARTING,
        None,
        None,
    ),
    (
        "its secret does not come back",
        _pod(_waiting("CreateContainerConfigError", 'secret "web-r1" not found')),
        60,
        FAILED,
        Reason.RUNTIME_REFUSED,
        'cannot be started: secret "web-r1" not found',
    ),
    (
        "it wants to be root",
        _pod(_waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")),
        1,
        FAILED,
        Reason.RUNTIME_REFUSED,
        "may not run as root in this cluster: its image has to name a user by a number, such as `USER 1000`",
    ),
    (
        "its command is not there",
        _pod(_waiting("RunContainerError", 'exec: "nope": executable file not found in $PATH: unknown')),
        1,
        FAILED,
        Reason.RUNTIME_REFUSED,
        "has a command that its image does not have",
    ),
    ("there may be room soon", _pod(conditions=NO_ROOM), 119, STARTING, None, None),
    (
        "there is no room",
        _pod(conditions=NO_ROOM),
        120,
        FAILED,
        Reason.UNSCHEDULABLE,
        "finds no room: 0/3 nodes are available: 3 Insufficient memory.",
    ),
    (
        "it exited once and is started again",
        _pod({"state": _ended(1), "ready": False, "restartCount": 0}),
        2,
        STARTING,
        None,
        None,
    ),
    (
        "it exits too slowly to be caught in a loop",
        _pod({"state": _ended(1), "ready": False, "restartCount": 1}),
        31,
        FAILED,
        Reason.CRASHED,
        "exits with code 1 after 30 s",
    ),
]


@pytest.mark.parametrize(
    ("pod", "age", "state", "reason", "detail"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_pod_is_judged_by_what_it_shows_and_for_how_long(
    *, pod: Thing, age: int, state: InstanceState, reason: Reason | None, detail: str | None
) -> None:
    verdict = judge_pod(pod, BORN + timedelta(seconds=age))
    assert (verdict.state, verdict.reason, verdict.detail) == (state, reason, detail)


def _deployment(replicas: int = 1, **status: Any) -> Thing:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web-4f", "creationTimestamp": STARTED, "labels": {"previewbot.dev/service": "web"}},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": WEB}}},
        "status": status,
    }


def test_a_pod_that_is_not_there_yet_is_an_instance_that_starts() -> None:
    sight = judge(_deployment(2), [_pod({"state": RUNNING, "ready": True})], BORN)
    assert [(each.index, each.state, each.address) for each in sight.instances] == [
        (0, READY, "web-4f:8080"),
        (1, STARTING, "web-4f:8080"),
    ]


@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        (
            'pods "web-1" is forbidden: exceeded quota: preview, requested: limits.cpu=9',
            Reason.QUOTA_EXCEEDED,
            "may not be started: exceeded quota: preview, requested: limits.cpu=9",
        ),
        (
            'pods "web-1" is forbidden: violates PodSecurity "restricted:latest"',
            Reason.RUNTIME_REFUSED,
            'may not be started: violates PodSecurity "restricted:latest"',
        ),
    ],
)
def test_a_pod_that_the_cluster_refuses_fails_with_its_words(message: str, reason: Reason, detail: str) -> None:
    refusal = {"type": "ReplicaFailure", "status": "True", "message": message}
    early = judge(_deployment(conditions=[refusal]), [], BORN)
    assert early.instances[0].state is STARTING
    assert early.look_at == BORN + timedelta(seconds=5)
    (late,) = judge(_deployment(conditions=[refusal]), [], BORN + timedelta(seconds=5)).instances
    assert (late.state, late.reason, late.detail) == (FAILED, reason, detail)


def test_pods_that_end_or_were_evicted_count_no_more() -> None:
    leaving = _pod({"state": RUNNING, "ready": True})
    leaving["metadata"]["deletionTimestamp"] = STARTED
    evicted = _pod(phase="Failed")
    assert judge(_deployment(), [leaving, evicted], BORN).instances[0].state is STARTING


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ", Reason.CRASHED),
        ("The node was low on resource: memory.", Reason.UNSCHEDULABLE),
    ],
)
def test_programs_that_the_cluster_ends_again_and_again_have_failed(message: str, reason: Reason) -> None:
    again = _pod(_waiting("ContainerCreating"))
    (once,) = judge(_deployment(), [_evicted(message), again], BORN).instances
    assert once.state is STARTING
    (twice,) = judge(_deployment(), [_evicted(message), _evicted(message), again], BORN).instances
    assert (twice.state, twice.reason) == (FAILED, reason)
    assert twice.detail == f"was ended by the cluster: {message.rstrip('. ')}, 2 times"
    well = _pod({"state": RUNNING, "ready": True})
    (served,) = judge(_deployment(), [_evicted(message), _evicted(message), well], BORN).instances
    assert served.state is READY
    (later,) = judge(
        _deployment(), [_evicted(message), _evicted(message), again], BORN + timedelta(minutes=15)
    ).instances
    assert later.detail != twice.detail, "what is long past says nothing of now"


def test_a_job_that_the_cluster_ended_says_so() -> None:
    job: Thing = {
        "metadata": {"labels": {"previewbot.dev/service": "hook.release"}},
        "spec": {"activeDeadlineSeconds": 60},
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
    }
    (instance,) = judge_job(job, [_evicted("The node was low on resource: memory.")], BORN).instances
    assert instance.detail == "was ended by the cluster: The node was low on resource: memory"


def test_how_long_the_cluster_may_take_is_up_to_the_operator() -> None:
    patience = Patience(room=timedelta(seconds=1), image=timedelta(seconds=2))
    assert judge_pod(_pod(conditions=NO_ROOM), BORN + timedelta(seconds=1), patience).state is FAILED
    pulling = _pod(_waiting("ErrImagePull", "not found"))
    assert judge_pod(pulling, BORN + timedelta(seconds=1), patience).state is STARTING
    assert judge_pod(pulling, BORN + timedelta(seconds=2), patience).state is FAILED


def test_the_end_of_a_namespace_is_explained_only_when_it_is_overdue() -> None:
    holding = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "Some content has finalizers: x/y"}
    fine = {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources discovered"}
    about = {"name": "preview-pr-1", "deletionTimestamp": STARTED}
    namespace: Thing = {"kind": "Namespace", "metadata": about, "status": {"conditions": [fine, holding]}}
    assert ending(namespace, BORN + timedelta(seconds=59)) == "`preview-pr-1`"
    said = ending(namespace, BORN + timedelta(seconds=60))
    assert said == "`preview-pr-1` cannot be finished by the cluster: Some content has finalizers: x/y"
