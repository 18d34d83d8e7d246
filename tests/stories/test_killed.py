"""The real process, killed in the middle of everything, on real parts: after a restart it ends right."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from previewbot.demo import machine, sample
from previewbot.demo.github.state import Pull
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import Visitor, deployed, said, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


CMD = {
    "web/Dockerfile": """CMD ["sh", "-c", "trap 'exit 0' TERM; sh /app/start.sh & wait"]""",
    "api/Dockerfile": """CMD ["sh", "-c", "trap '' TERM; exec httpd -f -p 9000 -h /srv"]""",
}
"""The page goes as soon as it is asked to, the API not before it is made to: the teardown has seconds in between."""


def comments(pull: Pull) -> int:
    return sum("<!-- previewbot:pr-" in each.body for each in pull.comments)


async def kill(stage: Stage) -> None:
    await stage.stop(signal.SIGKILL)


async def _runs(stage: Stage, holds: Callable[[Mapping[str, int]], bool]) -> bool:
    return holds(await stage.things())


def _is_one_release(things: Mapping[str, int]) -> bool:
    return things["containers"] == 2 and things["networks"] <= 2


async def test_killed_in_build_in_deploy_and_in_teardown(tmp_path: Path) -> None:
    async with staged(tmp_path, say=machine.quiet) as stage:
        github, repository = stage.github, stage.repository
        files = {name: re.sub(r"CMD .*", CMD[name], sample.files()[name]) for name in CMD}
        slow = files["web/Dockerfile"].replace("EXPOSE", "RUN sleep 3\nEXPOSE")
        pull = await github.open_pull(
            repository, author="alice", title="Slow", files={**files, "web/Dockerfile": slow, sample.GREETING: "one\n"}
        )
        visitor = Visitor(stage, pull)

        await until("a build", lambda: said(pull, "**Building**"))
        await kill(stage)
        await stage.start()
        await until("the first commit", lambda: visitor.serves(pull.sha))
        await until("the comment", lambda: said(pull, "**Preview is ready**", pull.sha[:7]))

        fast = await github.push(repository, pull, {"web/Dockerfile": files["web/Dockerfile"]})
        await until("a second release", lambda: _runs(stage, lambda things: things["containers"] > 2))
        await kill(stage)
        await stage.start()
        await until("the second commit", lambda: visitor.serves(fast))
        await until("the comment", lambda: said(pull, "**Preview is ready**", fast[:7]))
        # What did not change may serve on from where it is, with the network that it is in.
        await until("one release", lambda: _runs(stage, _is_one_release))

        github.close(repository, pull)
        await until("the teardown", lambda: _runs(stage, lambda things: things["containers"] == 1))
        await kill(stage)
        left = await stage.things()
        assert left["containers"] == 1
        assert left["networks"] >= 1
        await stage.start()
        await until("nothing", stage.is_empty)
        await until("the comment", lambda: said(pull, "**Preview removed**", "checked gone"))
        await until("the deployment", lambda: deployed(stage, fast, "inactive"))
        assert comments(pull) == 1


async def test_lost_deliveries_while_it_was_down_are_made_up_for(tmp_path: Path) -> None:
    async with staged(tmp_path, say=machine.quiet, sweep="2s") as stage:
        github, repository = stage.github, stage.repository
        pull = await github.open_pull(repository, author="alice", title="x", files={sample.GREETING: "one\n"})
        visitor = Visitor(stage, pull)
        await until("the first commit", lambda: visitor.serves(pull.sha))
        await stage.stop()
        sha = await github.push(repository, pull, {sample.GREETING: "two\n"})
        other = await github.open_pull(repository, author="alice", title="y", files={sample.GREETING: "three\n"})
        await github.hooks.settle()
        assert all(each.status_code != 202 for each in github.state.attempts[-3:])
        await stage.start()
        await until("the second commit", lambda: visitor.serves(sha))
        await until("the other pull request", lambda: Visitor(stage, other).serves(other.sha))
        github.hooks.lose = True
        github.close(repository, pull)
        github.close(repository, other)
        await until("nothing", stage.is_empty)
        await until("the comment", lambda: said(pull, "**Preview removed**"))
