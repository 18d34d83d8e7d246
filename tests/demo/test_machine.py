"""The machine is left as it was found, whether a demo ends or is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import docker
import httpx
import pytest

from previewbot.demo import leftovers, machine


async def test_a_process_ends_with_its_context_and_leaves_no_note(tmp_path: Path) -> None:
    async with machine.process(tmp_path, "sleeper", "sleep", "100") as started:
        assert leftovers.born(started.pid)
        assert (tmp_path / "sleeper.pid").exists()
    assert started.returncode == -signal.SIGTERM
    assert not (tmp_path / "sleeper.pid").exists()


async def test_what_a_process_says_is_in_its_log(tmp_path: Path) -> None:
    async with machine.process(tmp_path, "talker", "sh", "-c", "echo out; echo err >&2") as started:
        await started.wait()
    assert (tmp_path / "talker.log").read_text() == "out\nerr\n"


def test_clean_ends_what_a_killed_run_left_and_can_run_twice(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    left = subprocess.Popen(("sleep", "100"))
    _note(folder / "engine", left.pid, leftovers.born(left.pid))
    done = asyncio.run(_clean_while_waiting(folder, left))
    assert done == -signal.SIGTERM
    assert not folder.exists()
    leftovers.clean(folder)


async def _clean_while_waiting(folder: Path, left: subprocess.Popen[bytes]) -> int:
    _, code = await asyncio.gather(asyncio.to_thread(leftovers.clean, folder), asyncio.to_thread(left.wait, 10))
    return code


def test_clean_spares_a_process_that_only_has_the_same_number(tmp_path: Path) -> None:
    stranger = subprocess.Popen(("sleep", "100"))
    try:
        _note(tmp_path / "demo" / "engine", stranger.pid, "another boot 1")
        leftovers.clean(tmp_path / "demo")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_clean_reads_no_note_that_an_image_may_have_brought(tmp_path: Path) -> None:
    stranger = subprocess.Popen(("sleep", "100"))
    try:
        _note(tmp_path / "demo" / "engine" / "data" / "layer", stranger.pid, leftovers.born(stranger.pid))
        leftovers.clean(tmp_path / "demo")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_clean_needs_nothing_but_python(tmp_path: Path) -> None:
    """``make clean`` runs it before there is a ``.venv``, and after."""
    (tmp_path / "demo").mkdir()
    done = subprocess.run(
        (sys.executable, "-I", leftovers.__file__, str(tmp_path / "demo")), capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "demo").exists()


def test_nothing_answers_at_a_socket_that_is_not_there(tmp_path: Path) -> None:
    assert not machine.answers(str(tmp_path / "docker.sock"))


async def test_what_cannot_be_installed_is_said_with_the_command_that_does_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(machine.MachineError, match=r"apt-get install docker\.io iptables"):
        await machine.install("docker.io", "iptables")


def test_an_engine_folder_belongs_to_one_run_while_that_lives(tmp_path: Path) -> None:
    leftovers.take(tmp_path / "engine")
    with pytest.raises(leftovers.TakenError, match=f"Process {os.getpid()} works in"):
        leftovers.take(tmp_path / "engine")


def test_an_engine_folder_of_a_killed_run_is_taken_empty(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    (folder / "data").mkdir(parents=True)
    (folder / "owner.json").write_text(json.dumps({"pid": os.getpid(), "born": "another boot 1"}))
    (folder / "run").symlink_to(tmp_path / "nowhere")
    leftovers.take(folder)
    assert [each.name for each in folder.iterdir()] == ["owner.json"]


def test_a_folder_that_another_run_has_is_left_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with leftovers.taken(folder):
        (folder / "state").touch()
        with pytest.raises(leftovers.TakenError), leftovers.taken(folder):
            pass
        assert (folder / "state").exists()
    assert not folder.exists()


def test_clean_ends_a_run_that_is_still_there(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    with subprocess.Popen(("sleep", "100")) as other:
        leftovers.note(folder / "owner.json", other.pid)
        assert asyncio.run(_clean_while_waiting(folder, other)) == -signal.SIGTERM
    assert not folder.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"pid": "x", "born": 1}', '{"engine": 3, "instance": []}'])
def test_clean_reads_over_notes_that_say_nothing(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    for name in ("owner.json", "some.pid", "things.json", "network"):
        (folder / name).write_text(text)
    leftovers.clean(folder)
    assert not folder.exists()


def test_an_engine_that_is_named_but_silent_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(machine.MachineError, match=r"which DOCKER_HOST says\. Start it, or unset DOCKER_HOST"):
        machine._find_engine()


@pytest.mark.engine
async def test_an_engine_that_runs_already_is_used(
    docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    said: list[str] = []
    async with machine.engine(tmp_path / "engine", said.append) as found:
        assert found == docker_host
    assert said == [f"Using the engine at {docker_host}"]
    assert not (tmp_path / "engine").exists()


@pytest.mark.engine
def test_clean_removes_what_a_killed_demo_left_in_an_engine_and_nothing_else(
    docker_host: str, base_image: str, instance: str, tmp_path: Path
) -> None:
    client = docker.APIClient(docker_host, version="auto")
    mine, other = ({"previewbot.instance": each} for each in (instance, f"{instance}-other"))
    made = [client.create_container(base_image, ["sleep", "100"], labels=each)["Id"] for each in (mine, other)]
    client.start(made[0])
    client.create_network(instance, labels=mine)
    client.create_volume(instance, labels=mine)
    leftovers.note_things(tmp_path, docker_host, instance)
    leftovers.clean(tmp_path)
    only = {"label": f"previewbot.instance={instance}"}
    assert client.containers(all=True, filters=only) == []
    assert client.networks(filters=only) == []
    assert not client.volumes(filters=only)["Volumes"]
    client.remove_container(made[1])
    client.close()


def _note(folder: Path, pid: int, born: str) -> None:
    folder.mkdir(parents=True)
    (folder / "sleeper.pid").write_text(json.dumps({"pid": pid, "command": "sleep", "born": born}))


@pytest.mark.engine
async def test_caddy_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    async with machine.caddy(tmp_path / "caddy") as admin, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{admin}/config/")).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{admin}/config/", trust_env=False)


@pytest.mark.engine
@pytest.mark.timeout(300)
async def test_an_engine_of_ours_answers_and_leaves_no_folder_bridge_or_rule(tmp_path: Path) -> None:
    async with machine._own_engine(machine._make(tmp_path / "engine")) as host:
        path = host.removeprefix("unix://")
        assert machine.answers(path)
        bridge = f"pb{(tmp_path / 'engine' / 'network').read_text()}br"
        assert Path("/sys/class/net", bridge).exists()
    assert not Path("/sys/class/net", bridge).exists()
    assert bridge not in leftovers.run("iptables", "-w", "-S").stdout
    assert not (tmp_path / "engine").exists()
    assert not Path(path).parent.exists()


@pytest.mark.engine
@pytest.mark.timeout(300)
async def test_a_killed_run_is_cleaned_up_after(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    program = (
        "import asyncio, pathlib, sys\n"
        "from previewbot.demo import machine\n"
        "async def main():\n"
        "    async with machine._own_engine(machine._make(pathlib.Path(sys.argv[1]))) as host:\n"
        "        print(host, flush=True)\n"
        "        await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        (sys.executable, "-c", program, str(folder / "engine")), stdout=subprocess.PIPE, env=dict(os.environ), text=True
    ) as run:
        assert run.stdout
        host = (await asyncio.to_thread(run.stdout.readline)).strip()
        bridge = f"pb{(folder / 'engine' / 'network').read_text()}br"
        run.kill()
    await asyncio.to_thread(leftovers.clean, folder)
    path = Path(host.removeprefix("unix://"))
    assert not folder.exists()
    assert not path.parent.exists()
    assert not Path("/sys/class/net", bridge).exists()
