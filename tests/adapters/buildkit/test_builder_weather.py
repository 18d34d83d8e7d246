"""What people are told when a build with BuildKit ends badly, and what of it is tried again by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from previewbot.adapters.buildkit import BuildKitBuilder, Kit, Limits, Nobody, Tls
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import BuildState
from tests.adapters.buildkit.test_builder import _build, _processes, _until
from tests.adapters.github.scripted import FixedClock
from tests.contract.test_builder import LOG, Told
from tests.fixtures.buildkit import MakeBuildKit, RunningBuildKit, make_papers, running_buildkit
from tests.fixtures.engine import BASE, FolderLogs, FolderSource, order
from tests.fixtures.registry import GuardedRegistry, RunningRegistry, free_port

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("dockerfile", "step", "line"),
    [
        ("FRUN x\n", "`Dockerfile:2`", "unknown instruction: FRUN (did you mean RUN?)"),
        ("COPY nope /\n", "`Dockerfile:2 COPY nope /`", '"/nope": not found'),
        ("RUN echo failed to push x: 401; exit 3\n", "`Dockerfile:2 RUN echo failed to push x: 401; exit 3`", "401"),
    ],
)
async def test_the_dockerfiles_own_failure_is_told_at_its_line(
    *, dockerfile: str, step: str, line: str, buildkit_builder: BuildKitBuilder, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\n{dockerfile}"}}
    record = await _build(buildkit_builder, order("image-1", "c1"))
    assert (record.state, record.step) == (BuildState.FAILED, step)
    assert line in record.lines[-1]


async def test_a_stage_that_is_not_there_is_told_in_buildkits_words(
    buildkit_builder: BuildKitBuilder, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\n"}}
    record = await _build(buildkit_builder, order("image-1", "c1", target="nope"))
    assert (record.state, record.lines) == (BuildState.FAILED, ('target stage "nope" could not be found',))


async def test_a_base_image_that_does_not_exist_is_told_at_its_line(
    buildkit_builder: BuildKitBuilder, source: FolderSource, tmp_path: Path
) -> None:
    source.commits = {"c1": {"Dockerfile": "ARG B=previewbot/nope:1\nFROM $B\nRUN true\n"}}
    record = await _build(buildkit_builder, order("image-1", "c1"))
    assert (record.state, record.step) == (BuildState.FAILED, "`Dockerfile:2 FROM $B`")
    (told,) = record.lines
    assert told.startswith("The base image `docker.io/previewbot/nope:1` cannot be pulled")
    assert told.endswith("check its name and its tag.")
    assert told in FolderLogs(tmp_path).path(LOG).read_text()


async def test_a_registry_that_lets_nobody_in_is_told_to_the_operator(
    make_buildkit_builder: MakeBuildKit, source: FolderSource, token_registry: GuardedRegistry
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}}
    nobody = make_buildkit_builder(logins=Nobody(), limits=Limits(cache=Limits().cache.NONE))
    record = await _build(nobody, order("image-1", "c1"))
    assert (record.state, record.step) == (BuildState.FAILED, None)
    assert "previewbot's operator has to check the credentials in `registry`" in record.lines[0]
    reader = make_buildkit_builder(host=token_registry.host)
    token_registry.tokens.withheld.add("push")
    try:
        record = await _build(reader, order("image-1", "c1"))
    finally:
        token_registry.tokens.withheld.clear()
    assert "previewbot's operator has to check the credentials in `registry`" in record.lines[0]


async def test_a_registry_that_is_away_puts_the_build_off_a_few_times_and_then_fails_it(
    make_buildkit_builder: MakeBuildKit, source: FolderSource
) -> None:
    clock, host = FixedClock(), f"127.0.0.1:{free_port()}"
    builder = make_buildkit_builder(host=host, clock=clock, logins=Nobody())
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}}
    for seconds in (2, 15, 60):
        record = await _build(builder, order("image-1", "c1"))
        assert (record.state, record.digest) == (BuildState.CANCELLED, None)
        with pytest.raises(Transient, match=f"the registry {host} does not take it") as caught:
            await builder.start(order("image-1", "c1"), log=LOG, finished=Told())
        assert caught.value.retry_after == timedelta(seconds=seconds)
        clock.time += timedelta(seconds=seconds)
    record = await _build(builder, order("image-1", "c1"))
    assert record.state is BuildState.FAILED
    assert record.lines[0].endswith("previewbot's operator has to look at it; its disk may be full.")


async def test_a_buildkit_that_is_away_is_waited_for_and_never_the_builds_failure(
    make_buildkit_builder: MakeBuildKit, source: FolderSource, buildctl: str, mortal_buildkit: RunningBuildKit
) -> None:
    builder = make_buildkit_builder(kit=Kit(mortal_buildkit.address, buildctl))
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}}
    mortal_buildkit.kill()
    record = await _build(builder, order("image-1", "c1"))
    assert record.state is BuildState.CANCELLED
    assert record.lines[0].startswith(f"BuildKit at {mortal_buildkit.address} cannot be reached: ")
    for _ in range(5):
        with pytest.raises(Transient, match=f"BuildKit at {mortal_buildkit.address} cannot be reached"):
            await builder.start(order("image-1", "c1"), log=LOG, finished=Told())
    with pytest.raises(Transient):
        await builder.check()
    mortal_buildkit.start()
    assert (await _build(builder, order("image-1", "c1"))).state is BuildState.SUCCEEDED


async def test_a_buildkit_that_dies_in_the_middle_is_tried_again_and_blamed_on_the_build_only_after_some_times(
    *,
    make_buildkit_builder: MakeBuildKit,
    source: FolderSource,
    buildctl: str,
    mortal_buildkit: RunningBuildKit,
    tmp_path: Path,
) -> None:
    clock = FixedClock()
    builder = make_buildkit_builder(kit=Kit(mortal_buildkit.address, buildctl), clock=clock)
    source.commits = {
        "c1": {"Dockerfile": f"FROM {BASE}\nRUN echo so far; sleep 1000\n"},
        "c2": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"},
    }
    ends = []
    for _ in range(4):
        told = Told()
        await builder.start(order("image-1", "c1"), log=LOG, finished=told)
        log = FolderLogs(tmp_path).path(LOG)
        await _until(lambda log=log: b" so far\n" in log.read_bytes())  # type: ignore[misc]
        mortal_buildkit.kill()
        ends.append(await told.only())
        mortal_buildkit.start()
        clock.time += timedelta(minutes=2)
    assert [each.state for each in ends] == [*[BuildState.CANCELLED] * 3, BuildState.FAILED]
    assert ends[-1].lines[0] == "so far"
    assert ends[-1].lines[1].startswith(f"BuildKit at {mortal_buildkit.address} went away in the middle of the build")
    assert (await _build(builder, order("image-2", "c2"))).state is BuildState.SUCCEEDED


async def test_a_full_disk_is_told_to_the_operator(
    make_buildkit_builder: MakeBuildKit, source: FolderSource, buildctl: str, mortal_buildkit: RunningBuildKit
) -> None:
    mortal_buildkit.kill()
    with _small_disk(mortal_buildkit.folder / "root"):
        mortal_buildkit.start()
        builder = make_buildkit_builder(kit=Kit(mortal_buildkit.address, buildctl))
        source.commits = {
            "c1": {"Dockerfile": f"FROM {BASE}\nRUN dd if=/dev/zero of=/x bs=1M count=60\n"},
            "c2": {"Dockerfile": f"FROM {BASE}\nCOPY x /\n", "x": "x" * 60_000_000},
        }
        for commit in source.commits:
            record = await _build(builder, order("image-1", commit))
            assert record.state is BuildState.FAILED
            assert record.lines[-1].startswith("The disk is full (no space left on device): previewbot's operator")
        mortal_buildkit.kill()


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_a_build_that_takes_too_long_is_stopped_and_says_where_it_was(
    make_buildkit_builder: MakeBuildKit, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN echo so far; sleep 1000\n"}}
    builder = make_buildkit_builder(limits=Limits(time=timedelta(seconds=1.5)))
    record = await _build(builder, order("image-1", "c1"))
    assert (record.state, record.timed_out) == (BuildState.FAILED, True)
    assert record.step == "step 2/2 `RUN echo so far; sleep 1000`"
    assert record.lines == ("so far", "The build was stopped: it took longer than 1.5 s.")


async def test_the_log_and_the_step_are_there_while_it_builds_and_cancelling_ends_it_in_buildkit(
    buildkit_builder: BuildKitBuilder, source: FolderSource, tmp_path: Path
) -> None:
    marker = f"sleep 2{os.getpid()}"
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN echo hello; {marker}\n"}}
    told = Told()
    await buildkit_builder.start(order("image-1", "c1"), log=LOG, finished=told)
    log = FolderLogs(tmp_path).path(LOG)
    await _until(lambda: log.exists() and b" hello\n" in log.read_bytes())
    assert buildkit_builder.running()["image-1"].step == f"step 2/2 `RUN echo hello; {marker}`"
    assert _processes(marker)
    await buildkit_builder.cancel("image-1")
    assert (await told.only()).state is BuildState.CANCELLED
    await _until(lambda: not _processes(marker))
    assert log.read_text().endswith("previewbot: the build was cancelled.\n")


async def test_the_login_is_in_no_argument_and_in_no_file_that_others_can_read(
    buildkit_builder: BuildKitBuilder, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREVIEWBOT_WEBHOOK_SECRET", "0ther")
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN sleep 1000\n"}}
    told = Told()
    await buildkit_builder.start(order("image-1", "c1"), log=LOG, finished=told)
    await _until(lambda: "RUN" in (buildkit_builder.running()["image-1"].step or ""))
    (process,) = _children("buildctl")
    try:
        environment = dict(each.split("=", 1) for each in (process / "environ").read_text().split("\0") if each)
        home = Path(environment["DOCKER_CONFIG"])
        assert (home.stat().st_mode & 0o777, (home / "config.json").stat().st_mode & 0o777) == (0o700, 0o600)
        assert "0ther" not in str(environment)
        assert "s3cret" not in (process / "cmdline").read_text()
    finally:
        await buildkit_builder.close()
    assert not home.exists()


def _children(name: str) -> list[Path]:
    """The processes of ours that run a program."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            program, parent = (
                (path / "comm").read_text().strip(),
                (path / "stat").read_text().rpartition(")")[2].split()[1],
            )
        except OSError:
            continue
        if program == name and int(parent) == os.getpid():
            found.append(path)
    return found


async def test_both_sides_prove_who_they_are_over_tcp(
    *,
    make_buildkit_builder: MakeBuildKit,
    source: FolderSource,
    buildctl: str,
    base_registry: RunningRegistry,
    tmp_path: Path,
) -> None:
    ours, theirs = make_papers(tmp_path / "ours"), make_papers(tmp_path / "theirs")
    address = f"tcp://127.0.0.1:{ours.port}"

    def tls(ca: Path, client: Path) -> Tls:
        return Tls(ca / "ca.pem", client / "client.pem", client / "client.key")

    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}}
    with running_buildkit(base_registry.host, *ours.arguments()):
        good = make_buildkit_builder(kit=Kit(address, buildctl, tls(ours.folder, ours.folder)))
        assert (await good.check()).startswith(f"BuildKit at {address} for linux/")
        assert (await _build(good, order("image-1", "c1"))).state is BuildState.SUCCEEDED
        for kit in (
            Kit(address, buildctl),
            Kit(address, buildctl, tls(theirs.folder, ours.folder)),
            Kit(address, buildctl, tls(ours.folder, theirs.folder)),
        ):
            bad = make_buildkit_builder(kit=kit)
            with pytest.raises(Transient, match=f"BuildKit at {address} cannot be reached"):
                await bad.check()
            assert (await _build(bad, order("image-2", "c1"))).state is BuildState.CANCELLED


async def test_a_machine_without_buildctl_says_what_to_install(
    make_buildkit_builder: MakeBuildKit, source: FolderSource
) -> None:
    builder = make_buildkit_builder(kit=Kit("unix:///nowhere", "buildctl-that-is-not-there"))
    source.commits = {"c1": {"Dockerfile": "FROM x\n"}}
    told = "previewbot's machine has no `buildctl-that-is-not-there` command: previewbot's operator has to install"
    with pytest.raises(Refused, match=told):
        await builder.check()
    record = await _build(builder, order("image-1", "c1"))
    assert record.state is BuildState.FAILED
    assert record.lines[0].startswith(told)
