"""A Secret that is gone is seen in the pods that need it, and written once for each try of the node's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.losses import Losses, lacks_secret

NOW = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)


def _pod(reason: str, message: str) -> Thing:
    waiting = {"state": {"waiting": {"reason": reason, "message": message}}}
    return {"kind": "Pod", "metadata": {"uid": "a"}, "status": {"containerStatuses": [waiting]}}


GONE = _pod("CreateContainerConfigError", 'secret "web-r1" not found')


@pytest.mark.parametrize(
    ("pod", "lacks"),
    [
        (GONE, True),
        (_pod("CreateContainerConfigError", "couldn't find key TOKEN in Secret previews/web-r1"), True),
        (_pod("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), False),
        (_pod("CrashLoopBackOff", 'it said: secret "x" not found'), False),
        ({"kind": "Pod", "metadata": {"uid": "a"}, "status": {}}, False),
    ],
    ids=["gone", "a part is gone", "something else", "the program's own words", "no status"],
)
def test_a_pod_lacks_a_secret_where_its_node_says_so(pod: Thing, lacks: bool) -> None:
    assert lacks_secret(pod) == lacks
    assert (Losses().look_at(pod, NOW) == NOW) == lacks


def test_what_was_written_a_moment_ago_is_lacking_again_only_after_the_nodes_next_try() -> None:
    losses = Losses()
    losses.note_written(GONE, NOW)
    assert losses.look_at(GONE, NOW) == NOW + timedelta(seconds=20)
    assert losses.look_at({**GONE, "status": {}}, NOW) is None


def test_a_pod_that_lacks_nothing_is_believed_at_once_when_it_does() -> None:
    losses = Losses()
    losses.note_written({**GONE, "status": {}}, NOW)
    assert losses.look_at(GONE, NOW) == NOW
