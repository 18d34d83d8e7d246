"""The machine is left as it was found, whether a demo ends or is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from previewbot.demo import machine


async def test_a_process_ends_with_its_context_and_leaves_no_note(tmp_path: Path) -> None:
    async with machine.process(tmp_path, "sleeper", "sleep", "100") as started:
        assert machine._born(started.pid)
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
    _note(folder / "engine", left.pid, machine._born(left.pid))
    done = asyncio.run(_clean_while_waiting(folder, left))
    assert done == -signal.SIGTERM
    assert not folder.exists()
    machine.clean(folder)


async def _clean_while_waiting(folder: Path, left: subprocess.Popen[bytes]) -> int:
    _, code = await asyncio.gather(asyncio.to_thread(machine.clean, folder), asyncio.to_thread(left.wait, 10))
    return code


def test_clean_spares_a_process_that_only_has_the_same_number(tmp_path: Path) -> None:
    stranger = subprocess.Popen(("sleep", "100"))
    try:
        _note(tmp_path / "demo" / "engine", stranger.pid, "another boot 1")
        machine.clean(tmp_path / "demo")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_clean_reads_no_note_that_an_image_may_have_brought(tmp_path: Path) -> None:
    stranger = subprocess.Popen(("sleep", "100"))
    try:
        _note(tmp_path / "demo" / "engine" / "data" / "layer", stranger.pid, machine._born(stranger.pid))
        machine.clean(tmp_path / "demo")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_clean_needs_nothing_but_python(tmp_path: Path) -> None:
    """``make clean`` runs it before there is a ``.venv``, and after."""
    (tmp_path / "demo").mkdir()
    done = subprocess.run(
        (sys.executable, "-I", machine.__file__, str(tmp_path / "demo")), capture_output=True, check=False, text=True
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
    machine._take(tmp_path / "engine")
    with pytest.raises(machine.MachineError, match=f"Process {os.getpid()} has an engine"):
        machine._take(tmp_path / "engine")


def test_an_engine_folder_of_a_killed_run_is_taken_empty(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    (folder / "data").mkdir(parents=True)
    (folder / "owner.json").write_text(json.dumps({"pid": os.getpid(), "born": "another boot 1"}))
    (folder / "run").symlink_to(tmp_path / "nowhere")
    machine._take(folder)
    assert [each.name for each in folder.iterdir()] == ["owner.json"]


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
    assert bridge not in machine._run("iptables", "-w", "-S").stdout
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
    await asyncio.to_thread(machine.clean, folder)
    path = Path(host.removeprefix("unix://"))
    assert not folder.exists()
    assert not path.parent.exists()
    assert not Path("/sys/class/net", bridge).exists()
