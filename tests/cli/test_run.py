"""``previewbot run``, beside a process that goes on working meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from previewbot.adapters.local import SystemClock
from previewbot.adapters.store import open_store
from previewbot.cli.run import Jobs
from previewbot.core.blueprint import Health, Kind
from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Record, ReleaseRecord, ReleaseSpec, ReleaseState, ServiceSpec
from previewbot.core.secrets import SHARED, Scope, Seal, SecretName
from previewbot.ports import Value
from tests.fakes.runtime import Behaviour, FakeRuntime
from tests.fakes.secrets import FakeSecrets

KEY, TOKEN = Key(7, 42), SecretName(SHARED, "TOKEN")
PREVIEW = Scope("shop", "preview")
WEB = ServiceSpec(
    name="web", image="a", build=None, command=None, port=8080, host=None, health=Health(), env={}, replicas=1
)
JOB = replace(WEB, name="count", kind=Kind.JOB, port=None)


class Replaced(FakeRuntime):
    """A runtime whose every release is replaced as soon as what a run said was read."""

    async def tail(self, key: Key, revision: str, service: str, *, lines: int, run: str | None = None) -> Sequence[str]:
        said = await super().tail(key, revision, service, lines=lines, run=run)
        await self.remove(key, revision)
        return said


async def test_of_a_job_whose_secret_is_rotated_and_whose_release_is_replaced_nothing_is_shown(tmp_path: Path) -> None:
    runtime, secrets, now = Replaced(), FakeSecrets(), datetime.now(UTC)
    before = await secrets.put(PREVIEW, TOKEN, Value("hunter2hunter2"))
    runtime.behave = _says
    release = ReleaseSpec(KEY, "r1", "shop", "c1", (JOB, WEB))
    await runtime.start(release, {}, None, {})
    async with open_store(f"sqlite:///{tmp_path / 'previewbot.db'}") as store:
        await store.save(Record(KEY, repository_name="acme/shop", app="shop"))
        seals = (Seal(TOKEN, before, own=False),)
        await store.save_release(ReleaseRecord(KEY, "r1", "c1", ReleaseState.SERVING, now, now, seals=seals))
        await secrets.put(PREVIEW, TOKEN, Value("hunter3hunter3"))
        ended = await Jobs(store, runtime, secrets, SystemClock()).run("acme/shop#42", "count")
    assert ended.run.state is InstanceState.DONE
    (line,) = ended.lines
    assert "hunter" not in line
    assert "TOKEN" in line


def _says(spec: ServiceSpec) -> Behaviour:
    return Behaviour(InstanceState.READY, says=("knows hunter2hunter2",) if spec.name == "count" else ())
