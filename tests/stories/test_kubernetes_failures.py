"""What goes wrong on a real cluster, told by the whole of previewbot: each failure ends in a comment that is true.

All pull requests of a story are open at once, since what costs time is to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from previewbot.demo.base_image import filesystem
from previewbot.demo.github.state import Pull, Repository
from previewbot.demo.stage import Stage, staged
from previewbot.demo.story import NotSeen, said, until
from tests.cluster import images
from tests.cluster.state import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]

Files = Mapping[str, str | bytes | None]

_SERVE = "mkdir -p /tmp/w && id -u > /tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w"
_DOCKERFILE = f'FROM previewbot/base:1\nUSER 1000\nCMD ["sh", "-c", "{_SERVE}"]\n'
_PATIENCE = 150.0
"""Seconds that a busy machine may take for any of it."""
_OPERATOR = {
    "PREVIEWBOT_KUBERNETES__WAIT_FOR_ROOM": "5s",
    "PREVIEWBOT_KUBERNETES__WAIT_FOR_IMAGE": "5s",
    "PREVIEWBOT_KUBERNETES__QUOTA": json.dumps({"pods": "3"}),
    "PREVIEWBOT_SIZES": json.dumps({"tiny": {"cpu": 0.5, "memory": "64MiB"}}),
}
_POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: previewbot-test-forbids}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations:
    - expression: "object.spec.containers.all(c, !has(c.env) || !c.env.exists(e, e.name == 'FORBIDDEN'))"
      message: nobody may have this variable
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: previewbot-test-forbids}
spec: {policyName: previewbot-test-forbids, validationActions: [Deny]}
"""


def _web(line: str, *, of: str = "build: .") -> Files:
    return {"previewbot.yaml": f"version: 1\nservices:\n  web: {{{of}, port: 8080{line}}}\n"}


def _elf_for_another_machine() -> bytes:
    """A program for an IBM mainframe, as far as any kernel reads."""
    return b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(200)


class Failures:
    """A stage on a cluster, and a repository in which things go wrong."""

    def __init__(self, stage: Stage, repository: Repository) -> None:
        self.stage, self.repository = stage, repository
        self._turn = asyncio.Lock()

    async def open(self, files: Files) -> Pull:
        """Open a pull request; they get their numbers one after the other."""
        hub = self.stage.github
        async with self._turn:
            return await hub.open_pull(self.repository, author="alice", title="A change", files=dict(files))

    async def restart(self) -> None:
        """End previewbot and start it again, as the operator's settings are now."""
        await self.stage.stop()
        await self.stage.start()

    async def reads(self, pull: Pull, *words: str) -> None:
        """Wait until the comment says all of these."""
        try:
            await until("the comment", lambda: said(pull, *words), patience=_PATIENCE, pause=0.2)
        except NotSeen:
            log = (self.stage.folder / "previewbot.log").read_text("utf-8", "replace")[-1000:]
            pytest.fail(f"{words} is not in\n{[each.body for each in pull.comments]}\n{log}")

    async def serves(self, pull: Pull, text: str) -> None:
        """Wait until it is ready, and its URL answers with a text."""
        await self.reads(pull, "**Preview is ready**", pull.sha[:7])
        await until("the URL", lambda: self._answers(pull, text), patience=20, pause=0.2)

    async def _answers(self, pull: Pull, text: str) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
            host = {"Host": f"pr-{pull.number}-failures.localhost:{self.stage.door}"}
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get(f"http://127.0.0.1:{self.stage.door}/", headers=host)
                return answer.is_success and answer.text.strip() == text
        return False


@asynccontextmanager
async def _failing(folder: Path, cluster: Cluster) -> AsyncIterator[Failures]:
    cluster.save(folder)
    async with staged(folder / "stage", say=print, cluster=folder / "state.json") as stage:
        files = {"Dockerfile": _DOCKERFILE, **_web("")}
        repository = await stage.github.create_repository("acme/failures", {k: v for k, v in files.items() if v})
        stage.github.allow(repository, "alice", "write")
        yield Failures(stage, repository)


@pytest.fixture
async def failing(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Failures]:
    for name, value in _OPERATOR.items():
        monkeypatch.setenv(name, value)
    async with _failing(tmp_path, cluster) as made:
        yield made


@contextlib.contextmanager
def _forbidding(cluster: Cluster) -> Iterator[None]:
    """Let a policy of the cluster be in the way."""
    cluster.kubectl("apply", "-f", "-", given=_POLICY)
    try:
        yield
    finally:
        cluster.kubectl("delete", "-f", "-", given=_POLICY)


async def _all(*stories: Awaitable[None]) -> None:
    """Wait for all of them, and tell every one that is not as it should be."""
    ended = await asyncio.gather(*stories, return_exceptions=True)
    wrong = [each for each in ended if each is not None]
    if wrong:
        pytest.fail("\n\n".join(map(str, wrong)))


def _push(cluster: Cluster, name: str, user: str) -> str:
    """Put an image into the registry that was not built here; gives how a blueprint names it."""
    config = {"Env": ["PATH=/bin"], "User": user, "Cmd": ["sh", "-c", _SERVE]}
    images.push(cluster.registry, f"{name}:1", images.Layer.of(filesystem()), config)
    return f'image: "{cluster.registry}/{name}:1"'


async def test_every_failure_ends_in_a_comment_that_is_true(failing: Failures, cluster: Cluster) -> None:
    async def tells(files: Files, *words: str) -> None:
        pull = await failing.open(files)
        await failing.reads(pull, pull.sha[:7], *words)

    async def finds_no_place_beside() -> None:
        pull = await failing.open(_web(", replicas: 2"))
        await failing.reads(pull, "**Preview is ready**")
        before = pull.sha
        await failing.stage.github.push(failing.repository, pull, dict(_web(", replicas: 2, env: {MORE: x}")))
        await failing.reads(
            pull,
            "needs more than one preview may have",
            "exceeded quota",
            "pods=",
            f"The last good version `{before[:7]}`",
        )

    loop = '[sh, -c, "a=xxxxxxxx; while true; do a=$a$a; done"]'
    wrong = 'FROM previewbot/base:1\nCOPY --chmod=755 wrong /wrong\nUSER 1000\nCMD ["/wrong"]\n'
    missing = _web("", of=f'image: "{cluster.registry}/nobody/has-this:1"')
    stranger = {**_web(""), "Dockerfile": wrong, "wrong": _elf_for_another_machine()}
    with _forbidding(cluster):
        await _all(
            tells(missing, "lacks an image", "service **web** cannot pull its image", "not found", "again by itself"),
            tells(_web(f", size: tiny, command: {loop}"), "service **web** was killed: out of memory (limit 64 MiB)"),
            tells(_web(", replicas: 4"), "it asks for 4 programs at once, and one preview may have 3"),
            tells(_web(', env: {FORBIDDEN: "1"}'), "may not be started", "nobody may have this variable"),
            tells(_web(", health: {path: /none, timeout: 8s}"), "service **web** does not answer at /none after 8 s"),
            tells(stranger, "does not stay up", "built for another kind of processor"),
            finds_no_place_beside(),
        )


async def test_whoever_an_image_names_runs_unless_that_is_root(failing: Failures, cluster: Cluster) -> None:
    async def runs_as(files: Files, number: int) -> None:
        await failing.serves(await failing.open(files), str(number))

    named = _DOCKERFILE.replace("USER 1000", "RUN echo app:x:2000:2000::/:/bin/sh > /etc/passwd\nUSER app")
    await _all(
        runs_as({**_web(""), "Dockerfile": named}, 10001),
        runs_as(_web(", env: {KEEPS: ITS}"), 1000),
        runs_as(_web("", of=_push(cluster, "elsewhere/root", "root")), 10001),
        runs_as(_web("", of=_push(cluster, "elsewhere/number", "4711:0")), 4711),
    )


async def test_what_was_missing_comes_and_the_preview_is_served_by_itself(
    failing: Failures, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator asks less of the nodes, and a registry has an image at last: nobody pushes, nobody asks."""
    with monkeypatch.context() as greedy:
        greedy.setenv("PREVIEWBOT_SIZES", "{}")
        for name in ("MEMORY", "MEMORY_REQUEST"):
            greedy.setenv(f"PREVIEWBOT_KUBERNETES__{name}", "900GiB")
        await failing.restart()
        roomless = await failing.open(_web(""))
        told = ("There is no room for", "service **web** finds no room", "Insufficient memory")
        await failing.reads(roomless, *told, "It is tried again by itself")
    await failing.restart()
    name = f"elsewhere/{failing.stage.instance}"
    late = await failing.open(_web("", of=f'image: "{cluster.registry}/{name}:1"'))
    await failing.reads(late, "lacks an image")
    _push(cluster, name, "4711")
    await _all(failing.serves(roomless, "1000"), failing.serves(late, "4711"))
