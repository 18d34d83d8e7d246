"""``docker build`` on a real engine: what goes in, what comes out, and what happens to builds that nobody wants."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.cli import Cli, environment
from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, ImageOrder
from tests.contract.test_builder import LOG, MOUNTING, Told
from tests.fixtures.engine import BASE, DEAF, FolderLogs, FolderSource, order, release, service
from tests.fixtures.traces import where

pytestmark = pytest.mark.engine

Make = Callable[..., DockerBuilder]


async def _build(builder: DockerBuilder, wanted: ImageOrder) -> BuildRecord:
    told = Told()
    await builder.start(wanted, log=LOG, finished=told)
    return await told.only()


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


async def _made_of(engine: Engine, record: BuildRecord) -> dict[str, Any]:
    found: dict[str, Any] = await engine.call(lambda client: client.inspect_image(record.digest))
    return found


async def test_of_a_secret_that_a_step_mounts_nothing_is_in_the_image_its_history_or_the_log(
    docker_builder: DockerBuilder, source: FolderSource, engine: Engine, tmp_path: Path
) -> None:
    source.commits, told = {"c1": {"Dockerfile": MOUNTING}}, Told()
    secret = "hunter2$(id)hunter2"
    await docker_builder.start(order("image-1", "c1"), log=LOG, finished=told, secrets={"TOKEN": secret})
    record = await told.only()
    assert record.state is BuildState.SUCCEEDED, record.lines
    saved = await engine.call(lambda client: b"".join(client.get_image(record.digest)), slow=True)
    history = await engine.call(lambda client: client.history(record.digest))
    left = {
        "image": saved,
        "history": json.dumps(history).encode(),
        "facts": json.dumps(await _made_of(engine, record)).encode(),
        "record": repr(record).encode(),
        "log": (tmp_path / f"{LOG}.log").read_bytes(),
    }
    assert where("it is written down", among={"image": saved}), "what is in a layer would be found"
    assert where("19\n", among={"image": saved}), "the step did read it"
    assert where(secret, among=left) == []
    assert "•••" in left["log"].decode()


async def test_context_dockerfile_target_and_arguments_are_what_the_blueprint_says(
    docker_builder: DockerBuilder, source: FolderSource, engine: Engine, instance: str
) -> None:
    dockerfile = f"FROM {BASE} AS one\nARG A\nCOPY . /app\nLABEL a=$A\nFROM one AS two\nRUN exit 1\n"
    source.commits = {"c1": {"services/web/docker/Dev": dockerfile, "services/web/file": "text", "other": "x"}}
    wanted = order(
        "image-1", "c1", context="services/web", dockerfile="docker/Dev", target="one", args={"A": "b $c; `d`"}
    )
    record = await _build(docker_builder, wanted)
    assert record.state is BuildState.SUCCEEDED, record.lines
    found = await _made_of(engine, record)
    assert found["Config"]["Labels"] == {
        "a": "b $c; `d`",
        "previewbot.instance": instance,
        "previewbot.image": "image-1",
    }
    assert found["RepoTags"] == [f"previewbot-{instance}:image-1"]


async def test_a_commit_cannot_claim_to_be_another_image(docker_builder: DockerBuilder, source: FolderSource) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nLABEL previewbot.image=image-2 previewbot.instance=x\n"}}
    record = await _build(docker_builder, order("image-1", "c1"))
    assert await docker_builder.locate(["image-1", "image-2"]) == {"image-1": record.digest}


async def test_a_dockerfile_that_does_not_parse_fails_at_its_line(
    docker_builder: DockerBuilder, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nFRUN x\n"}}
    record = await _build(docker_builder, order("image-1", "c1"))
    assert (record.state, record.step, record.lines) == (
        BuildState.FAILED,
        "`Dockerfile:2`",
        ("unknown instruction: FRUN",),
    )


@pytest.mark.parametrize(
    ("build", "told"),
    [
        ({"context": "out"}, "The path `out` leaves the repository."),
        ({"context": "../.."}, "The path `../..` leaves the repository."),
        ({"dockerfile": "../../x"}, "The path `../../x` leaves the repository."),
        ({"context": "Dockerfile"}, "The build context `Dockerfile` is not a folder."),
        ({"dockerfile": "missing"}, "There is no file `missing` in the build context."),
    ],
)
async def test_paths_that_leave_the_tree_or_are_not_there_fail_before_anything_is_built(
    build: dict[str, str], told: str, make_builder: Make, tmp_path: Path
) -> None:
    class Linked(FolderSource):
        def checkout(self, repository: Any, commit: str) -> Any:
            (self.root / "tree").mkdir()
            (self.root / "tree/Dockerfile").write_text(f"FROM {BASE}\n")
            (self.root / "tree/out").symlink_to("/")
            return _Given(self.root / "tree")

    record = await _build(make_builder(source=Linked(tmp_path)), order("image-1", "c1", **build))
    assert (record.state, record.lines) == (BuildState.FAILED, (told,))


class _Given:
    def __init__(self, path: Path) -> None:
        self.path = path

    async def __aenter__(self) -> Path:
        return self.path

    async def __aexit__(self, *_: object) -> None:
        return


async def test_a_build_that_takes_too_long_is_stopped_and_says_where_it_was(
    make_builder: Make, source: FolderSource, tmp_path: Path
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN echo so far; sleep 1000\n"}}
    record = await _build(make_builder(time_limit=timedelta(seconds=1.5)), order("image-1", "c1"))
    assert (record.state, record.timed_out) == (BuildState.FAILED, True)
    assert record.step == "step 2/2 `RUN echo so far; sleep 1000`"
    assert record.lines == ("so far", "The build was stopped: it took longer than 1.5 s.")
    assert "it took longer than 1.5 s" in FolderLogs(tmp_path).path(LOG).read_text()


async def test_the_log_and_the_step_are_there_while_it_builds_and_cancelling_ends_it_in_the_engine(
    docker_builder: DockerBuilder, source: FolderSource, tmp_path: Path
) -> None:
    marker = f"sleep 1{os.getpid()}"
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN echo hello; {marker}\n"}}
    told = Told()
    await docker_builder.start(order("image-1", "c1"), log=LOG, finished=told)
    log = FolderLogs(tmp_path).path(LOG)
    await _until(lambda: log.exists() and b" hello\n" in log.read_bytes())
    assert docker_builder.running()["image-1"].step == f"step 2/2 `RUN echo hello; {marker}`"
    assert _processes(marker)
    await docker_builder.cancel("image-1")
    assert (await told.only()).state is BuildState.CANCELLED
    await _until(lambda: not _processes(marker))
    assert log.read_text().endswith("previewbot: the build was cancelled.\n")


async def test_previewbot_killed_outright_leaves_no_build_behind(
    docker_host: str, base_image: str, tmp_path: Path
) -> None:
    script = Path(__file__).with_name("dying_builder.py")
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), docker_host, str(tmp_path), env={**os.environ, "PYTHONPATH": str(root)}
    )
    log = tmp_path / "dying.log"
    await _until(lambda: log.exists() and b"0." in log.read_bytes())
    assert _processes(str(tmp_path), "--iidfile")
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await _until(lambda: not _processes(str(tmp_path)) and not _processes(f"echo {tmp_path.name}"))


def _processes(*texts: str) -> list[str]:
    """Command lines of running processes that hold all these texts."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if all(text in line for text in texts) and str(os.getpid()) != path.parent.name:
            found.append(line)
    return found


async def test_only_so_many_builds_run_at_once_and_the_others_wait_their_turn(
    make_builder: Make, source: FolderSource
) -> None:
    builder = make_builder(at_once=1)
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN sleep 1000\n"}}
    first, second = Told(), Told()
    await builder.start(order("image-1", "c1"), log=LOG, finished=first)
    await builder.start(order("image-2", "c1"), log="m" * 24, finished=second)
    await _until(lambda: "RUN" in (builder.running()["image-1"].step or ""))
    assert builder.running()["image-2"].step == "waiting for its turn"
    await builder.cancel("image-1")
    await _until(lambda: "RUN" in (builder.running()["image-2"].step or ""))
    await builder.close()
    assert [(await told.only()).state for told in (first, second)] == [BuildState.CANCELLED] * 2


async def test_a_fresh_build_runs_every_step_again(
    docker_builder: DockerBuilder, source: FolderSource, engine: Engine
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN cat /proc/sys/kernel/random/uuid > /id\n"}}
    layers = []
    for image, fresh in (("image-1", False), ("image-2", False), ("image-3", True)):
        plain = order(image, "c1")
        wanted = ImageOrder(image, plain.key, plain.service, plain.repository, plain.commit, plain.build, fresh=fresh)
        record = await _build(docker_builder, wanted)
        layers.append((await _made_of(engine, record))["RootFS"]["Layers"][-1])
    assert layers[0] == layers[1] != layers[2]


async def test_a_source_that_refuses_is_told_as_the_builds_failure(
    docker_builder: DockerBuilder, source: FolderSource, tmp_path: Path
) -> None:
    source.trouble = Refused("source_refused", "Too big.")
    record = await _build(docker_builder, order("image-1", "c1"))
    assert (record.state, record.lines) == (BuildState.FAILED, ("Too big.",))
    assert "Too big." in FolderLogs(tmp_path).path(LOG).read_text()


async def test_an_image_in_use_is_neither_discarded_nor_lost(
    docker_builder: DockerBuilder, docker_runtime: DockerRuntime, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN echo {os.urandom(4).hex()} > /id\n"}}
    digest = (await _build(docker_builder, order("image-1", "c1"))).digest or ""
    await docker_runtime.start(release(Key(7, 1), "r1", service("worker", DEAF)), {"base": digest})
    assert [each.in_use for each in await docker_builder.images()] == [True]
    await docker_builder.discard("image-1")
    assert await docker_builder.locate(["image-1"]) == {"image-1": digest}
    await docker_runtime.delete(Key(7, 1))
    await docker_builder.discard("image-1")
    assert not await docker_builder.images()


async def test_a_log_name_that_is_not_ours_is_refused_before_anything_begins(make_builder: Make) -> None:
    class Strict:
        def path(self, log: str) -> Path:
            raise ValueError(log)

    builder = make_builder(logs=Strict())
    with pytest.raises(ValueError, match="x"):
        await builder.start(order("image-1", "c1"), log="x", finished=Told())
    assert not builder.running()


async def test_the_builder_names_the_command_that_it_found(docker_builder: DockerBuilder) -> None:
    assert (await docker_builder.check()).startswith("BuildKit through /")


async def test_the_classic_builder_tells_a_failing_step_just_as_well(
    docker_builder: DockerBuilder, source: FolderSource
) -> None:
    await docker_builder.check()
    assert docker_builder._cli
    docker_builder._cli = Cli(docker_builder._cli.path, buildkit=False)
    source.commits = {
        "good": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"},
        "bad": {"Dockerfile": f"FROM {BASE}\nRUN echo oh no; exit 1\n"},
    }
    assert (await _build(docker_builder, order("image-1", "good"))).state is BuildState.SUCCEEDED
    record = await _build(docker_builder, order("image-2", "bad"))
    assert (record.step, record.lines) == ("`Dockerfile:2 RUN echo oh no; exit 1`", ("oh no",))


def test_hardly_anything_of_the_environment_reaches_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREVIEWBOT_WEBHOOK_SECRET", "s3cret")
    made = environment(tmp_path, buildkit=True)
    assert "s3cret" not in str(made)
    assert made["HOME"] == made["DOCKER_CONFIG"] == str(tmp_path)
