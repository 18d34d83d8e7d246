"""The main job, told once or left to a person: opened, served, pushed, redeployed, closed, gone."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from previewbot.demo import leftovers, machine, sample
from previewbot.demo.github.state import Pull, Reaction
from previewbot.demo.stage import Stage, staged

FOLDER = Path(".demo")
_PATIENCE = 60.0
"""Seconds that a step may take on a slow machine."""

_OFTEN = 5.0
"""Times a second that a visitor asks at the least, also on a slow machine; who hardly asks sees nothing dropped."""

_UNUSED = ssl.create_default_context()
"""Nothing is encrypted here, but a client that is given none reads all of the machine's certificates each time."""


class NotSeen(Exception):  # noqa: N818 - named by what happened
    """Something that should have become true did not."""


@dataclass
class Step:
    """One line of the table."""

    name: str
    seen: str
    seconds: float


@dataclass
class Visitor:
    """Somebody who looks at the preview all the time, and notes every request that failed."""

    stage: Stage
    pull: Pull
    asked: int = 0
    """How many requests are over, well or not."""
    failed: list[str] = field(default_factory=list)

    def host(self) -> str:
        """The preview's host name."""
        return f"pr-{self.pull.number}-shop.localhost"

    async def get(self, path: str = "/commit.txt") -> httpx.Response:
        """Ask the front door for the preview, on a connection of its own."""
        async with httpx.AsyncClient(trust_env=False, timeout=15, verify=_UNUSED) as client:
            host = {"Host": f"{self.host()}:{self.stage.door}"}
            return await client.get(f"http://127.0.0.1:{self.stage.door}{path}", headers=host)

    async def serves(self, sha: str) -> bool:
        """Whether the URL answers with this commit."""
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.get()
            return answer.is_success and answer.text == sha
        return False

    async def keep_looking(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                answer = await self.get()
                if not answer.is_success:
                    self.failed.append(str(answer.status_code))
            except httpx.HTTPError as error:
                self.failed.append(type(error).__name__)
            self.asked += 1
            await asyncio.sleep(0.02)


async def until(
    what: str, check: Callable[[], Awaitable[bool] | bool], *, patience: float = _PATIENCE, pause: float = 0.02
) -> float:
    """Wait until something is true, and say how many seconds that took; raises ``NotSeen``."""
    began = time.monotonic()
    while time.monotonic() - began < patience:
        answer = check()
        if await answer if isinstance(answer, Awaitable) else answer:
            return time.monotonic() - began
        await asyncio.sleep(pause)
    raise NotSeen(what)


def said(pull: Pull, *words: str) -> bool:
    """Whether the one comment of previewbot says all of these."""
    mine = [each.body for each in pull.comments if "<!-- previewbot:pr-" in each.body]
    return len(mine) == 1 and all(word in mine[0] for word in words)


def deployed(stage: Stage, sha: str, state: str) -> bool:
    """Whether the commit's deployment is in a state."""
    found = [each for each in stage.repository.deployments if each.sha == sha]
    return len(found) == 1 and bool(found[0].statuses) and found[0].statuses[-1].state == state


@dataclass
class Story:
    """The whole of it, step by step."""

    stage: Stage
    console: Console
    steps: list[Step] = field(default_factory=list)

    async def tell(self) -> None:
        """Tell it; raises ``NotSeen`` at the first thing that is not as it should be."""
        github, repository = self.stage.github, self.stage.repository
        pull = await github.open_pull(
            repository,
            author="alice",
            title="Greet in another way",
            files={sample.GREETING: "Hello from a pull request\n"},
        )
        visitor = Visitor(self.stage, pull)
        await self._step("A pull request is opened", "the comment says Building", lambda: said(pull, "**Building**"))
        await self._step("", "the URL serves its commit", lambda: visitor.serves(pull.sha))
        await self._step(
            "", "the comment says Ready, with the URL", lambda: said(pull, "**Preview is ready**", visitor.host())
        )
        await self._step("", "GitHub shows its deployment", lambda: deployed(self.stage, pull.sha, "success"))
        await self._step("", "the page reaches the API by its name", lambda: self._reaches_api(visitor))
        looking, began = asyncio.create_task(visitor.keep_looking()), time.monotonic()
        before, sha = pull.sha, await github.push(repository, pull, {sample.GREETING: "Hello again\n"})
        await self._step("A commit is pushed", "the URL serves the new commit", lambda: visitor.serves(sha))
        await self._step("", "the comment says so", lambda: said(pull, "**Preview is ready**", sha[:7]))
        await self._step("", "the old deployment is inactive", lambda: deployed(self.stage, before, "inactive"))
        asked = github.comment(repository, pull, "alice", "/redeploy")
        await self._step(
            "Somebody writes /redeploy", "previewbot reacts to it", lambda: _reacted(asked.reactions, "eyes")
        )
        await self._step("", "and says when it is done", lambda: _reacted(asked.reactions, "+1"))
        looking.cancel()
        looked = time.monotonic() - began
        await self._step("", _drops(visitor, looked), lambda: saw_no_drop(visitor.asked, visitor.failed, looked))
        github.close(repository, pull)
        await self._step("The pull request is closed", "nothing of it is left", self.stage.is_empty)
        await self._step("", "the URL says that it is gone", lambda: self._is_gone(visitor))
        await self._step(
            "", "the comment says what was removed", lambda: said(pull, "**Preview removed**", "checked gone")
        )
        await self._step("", "its deployment is inactive", lambda: deployed(self.stage, sha, "inactive"))

    async def _step(self, name: str, seen: str, check: Callable[[], Awaitable[bool] | bool]) -> None:
        try:
            seconds = await until(seen, check)
        except NotSeen:
            self.steps.append(Step(name, f"NOT SEEN: {seen}", _PATIENCE))
            raise
        self.steps.append(Step(name, seen, seconds))
        self.console.print(f"  {seconds:6.2f} s  {seen}")

    async def _reaches_api(self, visitor: Visitor) -> bool:
        return "in stock" in (await visitor.get("/cgi-bin/stock")).text

    async def _is_gone(self, visitor: Visitor) -> bool:
        # previewbot's own front door knows that it was there once; an ingress controller does not.
        return (await visitor.get("/")).status_code in (httpx.codes.GONE, httpx.codes.NOT_FOUND)

    def table(self) -> Table:
        """Everything that was seen."""
        table = Table(title="The main job", show_lines=False)
        for name in ("what happens", "what is seen"):
            table.add_column(name)
        table.add_column("after", justify="right")
        for step in self.steps:
            table.add_row(step.name, step.seen, f"{step.seconds:.2f} s")
        return table


def saw_no_drop(asked: int, failed: Sequence[str], seconds: float) -> bool:
    """Whether a visitor looked often enough for that long, and was always answered well."""
    return not failed and asked >= max(1, _OFTEN * seconds)


def _drops(visitor: Visitor, seconds: float) -> str:
    kinds = ", ".join(sorted(set(visitor.failed)))
    told = f" (but {len(visitor.failed)} were: {kinds})" if kinds else ""
    return f"none of {visitor.asked} requests in {seconds:.0f} s was dropped{told}"


def _reacted(reactions: list[Reaction], what: str) -> bool:
    return any(each.content == what for each in reactions)


def run(*, once: bool, cluster: Path | None = None) -> int:
    """Run the demo; returns the exit code. Ctrl-C, SIGTERM and a closed terminal take everything down again.

    ``cluster`` is the ``state.json`` or the kubeconfig of a cluster to run it in, instead of an engine.
    """
    console = Console()
    try:
        with leftovers.taken(FOLDER):
            return asyncio.run(_run(console, cluster, once=once))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nEverything is taken down.")
        return 0
    except (RuntimeError, machine.MachineError, leftovers.TakenError) as error:
        console.print(f"The demo cannot run: {error}", markup=False, style="bold")
        return 1


async def _run(console: Console, cluster: Path | None, *, once: bool) -> int:
    def say(text: str) -> None:
        console.print(f"· {text}", markup=False, highlight=False)

    if ours := asyncio.current_task():
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, ours.cancel)
    async with staged(FOLDER, say=say, cluster=cluster) as stage:
        if not once:
            return await _stay(stage, console)
        story = Story(stage, console)
        try:
            await story.tell()
        except NotSeen as missing:
            console.print(f"Not seen: {missing}", markup=False)
            log = (FOLDER / "previewbot.log").read_text("utf-8", "replace")
            console.print(log[-6000:], markup=False, highlight=False)
            return 1
        finally:
            console.print(story.table())
        console.print("All of it was seen to be true.")
        return 0


async def _stay(stage: Stage, console: Console) -> int:
    files = {sample.GREETING: "Hello from a pull request\n"}
    pull = await stage.github.open_pull(stage.repository, author="alice", title="Greet in another way", files=files)
    page = f"{stage.github.base_url}/{stage.repository.full_name}/pull/{pull.number}"
    console.print(
        f"\nOpen [bold]{page}[/bold]\n\nPush a commit, comment, merge or close there, and watch. Ctrl-C ends it all."
    )
    await asyncio.Event().wait()
    return 0
