"""Secrets and jobs from the command line, beside the real process: what an operator types, reads, and never reads."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from previewbot.demo import machine, sample
from previewbot.demo.github.state import Pull
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import said, until

PATIENCE = 120.0
_BLUEPRINT = """\
version: 1
app: shop
services:
  web: {build: web, port: 8080, public: true}
  count:
    kind: job
    build: web
    command: [sh, -c, 'echo "knows $TOKEN and $OWN"; echo "${#TOKEN} letters"']
    secrets: [TOKEN, OWN]
  fails: {kind: job, build: web, command: [sh, -c, "echo no such table; exit 3"]}
  slow: {kind: job, build: web, command: [sleep, "6"]}
secrets: {OWN: {generate: 20}}
""".replace("${#", "$${#")
_GROUNDS = [
    pytest.param("docker", marks=pytest.mark.engine),
    pytest.param("kubernetes", marks=pytest.mark.cluster),
]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None
    out: str
    err: str


@dataclass
class Desk:
    """A stage, and a terminal beside it."""

    stage: Stage

    async def type(self, *words: str, given: str = "") -> Ended:
        """Run previewbot's command line with the configuration of the process that serves."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "previewbot", *words, "--config", str(self.stage.folder / "config.yaml"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
        )  # fmt: skip
        out, err = await process.communicate(given.encode())
        assert "Traceback" not in err.decode()
        return Ended(process.returncode, out.decode(), err.decode())

    async def run(self, pull: Pull, job: str) -> Ended:
        return await self.type("run", f"acme/shop#{pull.number}", job)

    async def reads(self, pull: Pull, *words: str) -> None:
        await until(f"{words} in the comment", lambda: said(pull, *words), patience=PATIENCE)

    def spoil(self, kind: str) -> int:
        """Make the boxes of one kind of environment such that whoever opens one fails."""
        file = self.stage.folder / "state" / "secrets.json"
        kept = json.loads(file.read_text())
        spoilt = [each for name, each in kept["secrets"].items() if f"/{kind}/" in name]
        for each in spoilt:
            each["box"] = "c3BvaWx0"
        file.write_text(json.dumps(kept))
        return len(spoilt)


@pytest.fixture(params=_GROUNDS)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    state = None
    if request.param == "kubernetes":
        request.getfixturevalue("cluster").save(tmp_path)
        state = tmp_path / "state.json"
    async with staged(tmp_path / "stage", say=machine.quiet, cluster=state) as stage:
        yield Desk(stage)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_secrets_are_set_and_jobs_run_by_hand_and_no_value_is_ever_read(desk: Desk) -> None:
    stage = desk.stage
    files: dict[str, str | bytes | None] = {"previewbot.yaml": _BLUEPRINT, sample.GREETING: "Hello\n"}
    pull = await stage.github.open_pull(stage.repository, author="alice", title="Jobs", files=files)
    await desk.reads(pull, "`TOKEN` (count)", "`previewbot secrets set shop TOKEN`")
    nothing = await desk.run(pull, "count")
    assert (nothing.code, nothing.out) == (1, "")
    assert "Nothing of acme/shop#1 serves now" in nothing.err

    assert (await desk.type("secrets", "set", "shop", "TOKEN", given="preview-hunter2\n")).code == 0
    for kind in ("production", "staging"):
        assert (await desk.type("secrets", "set", "shop", "TOKEN", "--kind", kind, given="hunter3")).code == 0
    assert desk.spoil("production") + desk.spoil("staging") == 2
    stage.github.comment(stage.repository, pull, "alice", "/redeploy")
    await desk.reads(pull, "**Preview is ready**")

    ran = await desk.run(pull, "count")
    assert (ran.code, ran.out) == (0, "knows ••• and •••\n15 letters\n"), "of the preview, and nothing else is opened"
    assert ran.err.startswith("count is done after ")
    failed = await desk.run(pull, "fails")
    assert (failed.code, failed.out) == (1, "no such table\n")
    assert failed.err.startswith("fails exits with code 3 after ")
    await _refuses_nonsense(desk, pull)

    slow, again = await asyncio.gather(desk.run(pull, "slow"), _again(desk, pull))
    assert (slow.code, again.code) == (0, 1)
    assert "`slow` runs there already" in again.err

    noted = await desk.type("secrets", "set", "shop", "OWN", given="in vain")
    assert "acme/shop#1 runs with one that was made for it alone." in noted.err
    assert (await desk.type("secrets", "rotate", "shop", "TOKEN", given="preview-hunter4")).code == 0
    # While it knows a value that previewbot does not, nothing is shown; any look at the preview may bring the new one,
    # and end the run with the release that it belongs to.
    rotated = await desk.run(pull, "count")
    assert "hunter" not in rotated.out
    is_new, is_ended = rotated.out.startswith("knows ••• and •••"), "was ended with its release" in rotated.err
    assert "TOKEN" in rotated.out or is_new or is_ended
    stage.github.comment(stage.repository, pull, "alice", "/redeploy")
    await until("the rotated value", lambda: _says(desk, pull, "knows ••• and •••"), patience=PATIENCE, pause=1)

    stage.github.close(stage.repository, pull)
    await desk.reads(pull, "**Preview removed**")
    assert "Nothing of acme/shop#1 serves now" in (await desk.run(pull, "count")).err
    kept = json.loads((stage.folder / "state" / "secrets.json").read_text())["secrets"]
    assert not [each for each in kept if "~pr-" in each], "what was made for it is gone"


async def _refuses_nonsense(desk: Desk, pull: Pull) -> None:
    nonsense = {
        ("acme/shop#99", "count"): "acme/shop#99 has no environment",
        ("shop", "count"): "`shop` is no pull request: write it like acme/shop#42.",
        (f"acme/shop#{pull.number}", "web"): "Nothing named `web` can be run there: there are count, fails, slow.",
    }
    for words, told in nonsense.items():
        done = await desk.type("run", *words)
        assert (done.code, done.out) == (1, "")
        assert told in done.err


async def _again(desk: Desk, pull: Pull) -> Ended:
    await asyncio.sleep(3)
    return await desk.run(pull, "slow")


async def _says(desk: Desk, pull: Pull, words: str) -> bool:
    return words in (await desk.run(pull, "count")).out
