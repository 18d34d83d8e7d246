"""``/run JOB``: for those who may write, on what serves, once for a comment, and answered when it is over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from previewbot.core.model import InstanceState, ServiceSpec
from previewbot.core.secrets import Scope, SecretName
from previewbot.demo.github.state import Pull
from previewbot.ports import Value
from tests.fakes.runtime import READY, Behaviour
from tests.stories.town import Call, Town, Weather, town

BLUEPRINT = """\
version: 1
app: shop
services:
  web: {build: ., port: 8080, public: true}
  restock: {kind: job, build: ., command: [restock], secrets: [TOKEN]}
  nightly: {kind: cron, build: ., command: [clean], schedule: "0 3 * * *"}
hooks: {destroy: {service: web, command: [goodbye]}}
"""


@pytest.fixture
async def city(city: Town) -> Town:
    await city.secrets.put(Scope("shop", "preview"), SecretName("shared", "TOKEN"), Value("hunter2hunter2"))
    return city


def _behaves(city: Town, job: Behaviour) -> None:
    def behave(spec: ServiceSpec) -> Behaviour:
        return job if spec.name == "restock" else READY

    city.runtime.behave = behave


def _answers(pull: Pull) -> list[str]:
    return [each.body for each in pull.comments if "<!-- previewbot:answer:" in each.body]


async def _runs(city: Town, pull: Pull) -> list[str]:
    return [each.name for release in (await city.observed(pull)).releases for each in release.runs]


async def test_a_job_is_run_and_its_end_is_answered_without_any_secret(city: Town) -> None:
    _behaves(city, Behaviour(InstanceState.READY, says=("restocked with hunter2hunter2",)))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    reactions = await city.say(pull, "alice", "/run restock")
    await city.settle()
    (answer,) = _answers(pull)
    assert "**restock** is done." in answer
    assert "restocked with •••" in answer
    assert "eyes" in reactions
    assert await _runs(city, pull) == [], "what is over is cleared away"


@pytest.mark.parametrize("change", ["rotated", "removed"])
async def test_after_a_rotation_nothing_is_shown_of_what_may_still_know_the_old_value(city: Town, change: str) -> None:
    _behaves(city, Behaviour(InstanceState.READY, says=("restocked with hunter2hunter2",)))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    scope, name = Scope("shop", "preview"), SecretName("shared", "TOKEN")
    if change == "rotated":
        await city.secrets.put(scope, name, Value("changed after a leak"))
    else:
        await city.secrets.remove(scope, name)
    await city.say(pull, "alice", "/run restock")
    await city.settle()
    (answer,) = _answers(pull)
    assert "hunter2" not in answer
    assert "previewbot does not show this: TOKEN changed since this was started" in answer
    await city.secrets.put(scope, name, Value("hunter3hunter3"))
    _behaves(city, Behaviour(InstanceState.READY, says=("restocked with hunter3hunter3",)))
    await city.say(pull, "alice", "/redeploy")
    await city.pass_time(timedelta(minutes=1))
    await city.say(pull, "alice", "/run restock")
    await city.settle()
    assert "restocked with •••" in _answers(pull)[-1]


async def test_of_a_long_output_the_end_is_shown_and_all_of_it_is_a_page(city: Town) -> None:
    lines = [f"line {number}" for number in range(100)]
    _behaves(city, Behaviour(InstanceState.READY, says=("hunter2hunter2", *lines)))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    await city.say(pull, "alice", "/run restock")
    await city.settle()
    (answer,) = _answers(pull)
    assert "line 99" in answer
    assert "line 50" not in answer
    name = answer.partition("/logs/")[2].partition(")")[0]
    kept = city.world.logs.path(name).read_text()
    assert kept == "--- restock\n•••\n" + "\n".join(lines) + "\n"


async def test_a_job_that_fails_says_how(city: Town) -> None:
    _behaves(city, Behaviour(InstanceState.FAILED, "exits with code 3", says=("no stock",)))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    await city.say(pull, "alice", "/run restock")
    await city.settle()
    (answer,) = _answers(pull)
    assert "**restock** failed: it exits with code 3." in answer
    assert "no stock" in answer


async def test_a_job_that_goes_on_is_waited_for_and_never_begun_again(city: Town) -> None:
    _behaves(city, Behaviour(InstanceState.STARTING))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    await city.say(pull, "alice", "/run restock")
    (name,) = await _runs(city, pull)
    await city.sweep()
    assert await _runs(city, pull) == [name]
    assert _answers(pull) == []
    _behaves(city, READY)
    await city.push(pull, {"x": "2"})
    await city.settle()
    assert await _runs(city, pull) == []
    (answer,) = _answers(pull)
    assert "was ended with its release" in answer


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("/run `nothing`@x", "has no job `nothing @x`. It has `nightly`, `restock`."),
        ("/run web", "has no job `web`. It has `nightly`, `restock`."),
        ("/run destroy.hook", "has no job `destroy.hook`"),
        ("/run", "That is not a command of previewbot."),
    ],
)
async def test_what_cannot_be_run_is_answered_with_what_can(city: Town, words: str, answer: str) -> None:
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    await city.say(pull, "alice", words)
    (only,) = _answers(pull)
    assert answer in only


async def test_without_jobs_or_without_anything_that_serves_it_says_so(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT.split("  restock", maxsplit=1)[0]})
    await city.say(pull, "alice", "/run restock")
    assert "Its `previewbot.yaml` has no jobs." in _answers(pull)[-1]
    broken = await city.open(files={"previewbot.yaml": "version: 1\nservices: {}\n"})
    await city.say(broken, "alice", "/run restock")
    assert "No release is serving, so no job can run: previewbot.yaml has a flaw." in _answers(broken)[-1]


async def test_who_may_not_write_runs_nothing(city: Town) -> None:
    _behaves(city, Behaviour(InstanceState.STARTING))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    assert await city.say(pull, "bob", "/run restock") == ["-1"]
    assert await _runs(city, pull) == []
    assert _answers(pull) == []


async def test_a_job_that_runs_is_not_begun_beside_itself_and_a_second_delivery_is_nothing_new(city: Town) -> None:
    _behaves(city, Behaviour(InstanceState.STARTING))
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    await city.say(pull, "alice", "/run restock")
    (name,) = await _runs(city, pull)
    assert await city.say(pull, "alice", "/run restock") == ["eyes", "-1"]
    (answer,) = _answers(pull)
    assert "**restock** is already running" in answer
    for each in [attempt for attempt in city.github.state.attempts if attempt.event == "issue_comment"]:
        city.github.hooks.send(each.event, each.payload)
    await city.settle()
    assert await _runs(city, pull) == [name]
    assert len(_answers(pull)) == 1


async def test_what_the_engine_refuses_to_begin_is_answered_and_not_tried_again(city: Town) -> None:
    pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
    city.runtime.refuses = "exceeded quota: pods=9 of <9>"
    assert await city.say(pull, "alice", "/run restock") == ["eyes", "-1"]
    (answer,) = _answers(pull)
    assert "**restock** failed: it could not be begun: exceeded quota: pods=9 of &lt;9>." in answer
    assert "**Preview is ready**" in city.comment(pull)


async def _order(folder: Path, weather: Weather) -> tuple[str, int, list[Call]]:
    """Have a job run; returns the answer, how often it was begun, and the calls that were made meanwhile."""
    async with town(folder, weather) as city:
        await city.settle()
        await city.secrets.put(Scope("shop", "preview"), SecretName("shared", "TOKEN"), Value("hunter2hunter2"))
        pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
        begun, made = list[str](), len(weather.calls)

        def behave(spec: ServiceSpec) -> Behaviour:
            begun.append(spec.name)
            return READY

        city.runtime.behave = behave
        await city.say(pull, "alice", "/run restock")
        await city.settle()
        async with asyncio.timeout(20):
            while not _answers(pull):  # the watch over what runs may begin anew, after a pause of real seconds
                await asyncio.sleep(0.1)
                await city.settle()
        (answer,) = _answers(pull)
        (said,) = (each for each in pull.comments if each.body == "/run restock")
        verdict = "+1" if "is done" in answer else "-1"
        assert sorted(each.content for each in said.reactions) == [verdict, "eyes"]
        return answer, len(begun), weather.calls[made:]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_whichever_call_fails_a_job_is_begun_once_at_most_and_answered_once(tmp_path: Path, after: bool) -> None:
    _, _, calls = await _order(tmp_path / "calm", Weather())
    assert {("runtime", "run"), ("runtime", "tail"), ("runtime", "end_run")} <= {call[:2] for call in calls}
    for number, call in enumerate(calls):
        weather = Weather(fails=call, after=after)
        answer, begun, _ = await _order(tmp_path / str(number), weather)
        assert weather.struck, call
        # Where it cannot be told whether it was begun, it is not begun again, and that is said.
        was_lost = call[:2] == ("store", "mark") and after and begun == 0
        assert ("**restock** is done" in answer, begun) == (not was_lost, 0 if was_lost else 1), call
        assert not was_lost or "Write the command again" in answer


async def test_what_could_not_be_cleared_away_is_with_the_next_run(tmp_path: Path) -> None:
    async with town(tmp_path, Weather(fails=("runtime", "end_run", 0))) as city:
        await city.secrets.put(Scope("shop", "preview"), SecretName("shared", "TOKEN"), Value("hunter2hunter2"))
        pull = await city.open(files={"previewbot.yaml": BLUEPRINT})
        await city.say(pull, "alice", "/run restock")
        await city.settle()
        assert len(await _runs(city, pull)) == 1
        await city.say(pull, "alice", "/run restock")
        await city.settle()
        assert await _runs(city, pull) == []
        assert [("is done" in each) for each in _answers(pull)] == [True, True]
