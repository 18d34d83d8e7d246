"""What may be believed of a container without asking, and when that ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from previewbot.adapters.docker.facts import Address, Facts
from previewbot.adapters.docker.known import Event, Known
from previewbot.adapters.docker.labels import Target
from previewbot.adapters.docker.watch import judge_job
from previewbot.core.blueprint import Health, Kind
from previewbot.core.model import InstanceState

AT = "2026-01-02T03:04:06.5Z"
WEB = Facts(
    id="c1",
    status="running",
    started_at="2026-01-02T03:04:05.123456789Z",
    restarts=0,
    exit_code=0,
    out_of_memory=False,
    memory=512 * 1024 * 1024,
    labels=Target(8080, None, Health(None)).labels(),
    address=Address("172.30.0.2", 8080),
)
JOB = replace(WEB, labels=Target(None, None, Health(None), Kind.JOB).labels(), address=None)
LISTED: dict[str, Any] = {
    "Id": "c1",
    "State": "running",
    "HostConfig": {"NetworkMode": "home"},
    "NetworkSettings": {"Networks": {"home": {"IPAddress": "172.30.0.2"}, "newer": {"IPAddress": "172.29.0.2"}}},
}


class Watch:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def known(clock: Watch) -> Known:
    made = Known(clock)
    made.open()
    return made


def _keep(known: Known, facts: Facts) -> None:
    known.keep(facts, known.moment)


def test_what_runs_is_believed_to_run_for_a_minute(known: Known, clock: Watch) -> None:
    assert known.find(LISTED) is None
    _keep(known, WEB)
    clock.now = 60
    assert known.find(LISTED) == WEB
    clock.now = 61
    assert known.find(LISTED) is None


@pytest.mark.parametrize(
    "listed",
    [
        LISTED | {"State": "exited"},
        LISTED | {"State": "paused"},
        LISTED | {"NetworkSettings": {"Networks": {"home": {"IPAddress": "172.30.0.3"}}}},
        LISTED | {"NetworkSettings": {"Networks": {"newer": {"IPAddress": "172.30.0.2"}}}},
        LISTED | {"NetworkSettings": {"Networks": None}},
    ],
    ids=range(5),
)
def test_a_list_that_tells_otherwise_is_believed(known: Known, listed: dict[str, Any]) -> None:
    _keep(known, WEB)
    assert known.find(listed) is None


@pytest.mark.parametrize("status", ["created", "restarting", "paused", "exited", "dead"])
def test_nothing_but_what_runs_is_kept(known: Known, status: str) -> None:
    _keep(known, replace(WEB, status=status))
    assert known.find(LISTED) is None
    known.keep(None, known.moment)
    assert known.find(LISTED) is None


@pytest.mark.parametrize("action", ["die", "oom", "pause", "unpause", "destroy", "remove", "cleanup"])
def test_an_event_ends_what_was_known_of_its_container_alone(known: Known, action: str) -> None:
    _keep(known, WEB)
    known.hear(Event("c2", action, AT, 0))
    assert known.find(LISTED) == WEB
    known.hear(Event("c1", action, AT, 0))
    assert known.find(LISTED) is None


def test_an_answer_is_not_kept_where_anything_was_heard_since_the_question(known: Known) -> None:
    asked = known.moment
    known.hear(Event("c1", "die", AT, 0))
    known.keep(WEB, asked)
    assert known.find(LISTED) is None


def test_a_job_that_is_told_to_have_ended_well_is_over_whatever_is_listed(known: Known) -> None:
    _keep(known, JOB)
    known.hear(Event("c1", "die", AT, 0))
    for state in ("running", "exited"):
        over = known.find(LISTED | {"State": state})
        assert over == replace(JOB, status="exited", finished_at=AT)
        assert judge_job(over).state is InstanceState.DONE


def test_a_job_that_ended_late_has_failed_however_it_ended(known: Known) -> None:
    _keep(known, JOB)
    known.hear(Event("c1", "die", "2026-01-02T03:05:06.5Z", 0))
    over = known.find(LISTED)
    assert over
    assert judge_job(over).state is InstanceState.FAILED


@pytest.mark.parametrize("code", [1, 137, None])
def test_of_a_job_that_did_not_end_well_the_engine_is_asked(known: Known, code: int | None) -> None:
    _keep(known, JOB)
    known.hear(Event("c1", "die", AT, code))
    assert known.find(LISTED) is None


def test_of_a_job_that_ran_out_of_memory_the_engine_is_always_asked(known: Known) -> None:
    _keep(known, JOB)
    known.hear(Event("c1", "oom", AT))
    _keep(known, JOB)
    assert known.find(LISTED) is None
    known.hear(Event("c1", "die", AT, 0))
    assert known.find(LISTED) is None


def test_nothing_is_known_while_no_events_are_heard(known: Known) -> None:
    _keep(known, WEB)
    known.open()
    known.close()
    assert known.find(LISTED) == WEB
    known.close()
    assert known.find(LISTED) is None
    _keep(known, WEB)
    known.open()
    assert known.find(LISTED) is None
