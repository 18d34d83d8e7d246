"""The command line: what a person sees, exit codes that mean something, and JSON for scripts."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from previewbot.adapters.store import open_store
from previewbot.core.ids import Key
from previewbot.core.model import Reason, Record, ServiceLine, State, Status
from previewbot.demo import machine, sample
from previewbot.demo.stage import staged
from previewbot.demo.story import Visitor, until
from tests.fixtures.command import run, start

CONFIG = """\
github: {app_id: 1, private_key_file: key.pem, webhook_secret_files: [secret]}
storage: {folder: state}
"""


def test_help_shows_every_command(tmp_path: Path) -> None:
    done = start("--help", cwd=tmp_path)
    assert done.returncode == 0
    commands = "init render serve doctor setup validate diff secrets run list migrate demo"
    assert not [command for command in commands.split() if f" {command} " not in done.stdout]


def test_a_blueprint_is_shown_with_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "previewbot.yaml").write_text("version: 1\nservices: {web: {build: ., port: 80}}\n")
    done = run("validate", cwd=tmp_path)
    assert done.returncode == 0
    assert "public: true" in done.stdout
    assert json.loads(run("validate", "--json", cwd=tmp_path).stdout)["services"][0]["port"] == 80


def test_every_flaw_is_shown_as_editors_understand_it(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("version: 1\nservices:\n  web: {build: ., prot: 80}\n")
    done = run("validate", "x.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("x.yaml:3:")
    assert "did you mean `port`?" in done.stderr
    assert json.loads(run("validate", "x.yaml", "--json", cwd=tmp_path).stdout)[0]["line"] == 3


def test_who_has_no_blueprint_yet_is_told_how_to_begin(tmp_path: Path) -> None:
    done = run("validate", cwd=tmp_path)
    assert done.returncode == 2
    assert "Write a first one by `previewbot init`" in done.stderr
    assert "previewbot init" not in run("validate", ".", cwd=tmp_path).stderr, "a folder is another mistake"


def test_two_environments_are_compared(tmp_path: Path) -> None:
    (tmp_path / "previewbot.yaml").write_text(
        "version: 1\nservices: {web: {build: ., port: 80}}\n"
        "environments: {production: {services: {web: {replicas: 3}}}}\n"
    )
    done = run("diff", "preview", "production", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].split() == ["service", "web", "replicas", "1", "3"]
    assert "Nothing else differs" in done.stdout
    (found,) = json.loads(run("diff", "production", "preview", "--json", cwd=tmp_path).stdout)
    assert found == {"of": "service web", "parameter": "replicas", "left": 3, "right": 1}


def test_an_environment_that_is_not_there_is_three_lines(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("version: 1\nservices: {web: {build: ., port: 80}}\n")
    done = run("diff", "preview", "production", "x.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "x.yaml has no environment `production`."
    assert len(done.stderr.strip().splitlines()) == 3


def test_a_flawed_blueprint_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("version: 1\nservices:\n  web: {build: ., prot: 80}\n")
    done = run("diff", "preview", "preview", "x.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("x.yaml:3:")


@pytest.mark.parametrize("command", [["validate"], ["diff", "preview", "production"]], ids=lambda each: each[0])
def test_a_missing_file_is_three_lines(tmp_path: Path, command: list[str]) -> None:
    done = run(*command, "no.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 3


@pytest.mark.parametrize("command", ["serve", "doctor", "list", "migrate"])
def test_a_faulty_configuration_is_told_whole(tmp_path: Path, command: str) -> None:
    (tmp_path / "c.yaml").write_text("github: {app_id: x}\nsurver: {}\n")
    done = (start if command == "serve" else run)(command, "--config", "c.yaml", cwd=tmp_path)
    assert done.returncode == 2
    for part in ("github.app_id", "github.private_key_file is missing", "surver is not a setting"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_list_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert "schema" in run("migrate", "--config", "c.yaml", cwd=tmp_path).stdout
    assert "Open a pull request" in run("list", "--config", "c.yaml", cwd=tmp_path).stdout
    assert json.loads(run("list", "--json", "--config", "c.yaml", cwd=tmp_path).stdout) == []


def remember(folder: Path, *records: Record) -> None:
    """Put environments into the database of ``CONFIG``."""

    async def save() -> None:
        async with open_store(f"sqlite:///{folder / 'state/previewbot.db'}") as store:
            for each in records:
                await store.save(each)

    (folder / "c.yaml").write_text(CONFIG)
    (folder / "state").mkdir(mode=0o700)
    asyncio.run(save())


def cells(printed: str) -> list[list[str]]:
    """What stands under each heading of a table."""
    head, *rows = printed.splitlines()
    starts = [found.start() for found in re.finditer(r"(?:^|(?<=  ))\S", head)]
    places = list(zip(starts, [*starts[1:], None], strict=True))
    return [[line[start:end].strip() for start, end in places] for line in (head, *rows)]


def test_every_environment_has_a_line_with_its_state_commit_age_url_and_reason(tmp_path: Path) -> None:
    now, url = datetime.now(UTC), "http://pr-1-shop.localhost:8080"
    ready = Status(State.READY, Reason.SERVING, now, "a" * 40, (ServiceLine("web", url, "ready", "reused"),))
    failed = Status(State.FAILED, Reason.CRASHED, now, "b" * 40, detail="service **api** exits\n\x1b[31mwith code 1")
    fork = Status(State.SKIPPED, Reason.FORK, now, detail="someone/shop")
    remember(
        tmp_path,
        Record(Key(7, 1), "acme/shop", "shop", ready, commit="a" * 40, created_at=now - timedelta(minutes=5)),
        Record(Key(7, 22), "acme/shop", "shop", failed, commit="b" * 40, created_at=now - timedelta(hours=3)),
        Record(Key(7, 3), "acme/shop", None, fork),
        Record(Key(8, 5), "acme/longer-name", "x", Status(State.GONE, Reason.MERGED, now), created_at=now),
        Record(Key(9, 4), "acme/new"),
    )
    done = run("list", "--config", "c.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = cells(done.stdout)
    assert head == ["PULL REQUEST", "STATE", "COMMIT", "AGE", "URL", "WHY"]
    assert sorted(rows) == [
        ["acme/new#4", "unknown", "-", "-", "-", "never looked at"],
        ["acme/shop#1", "ready", "aaaaaaa", "5 min", url, "it serves"],
        ["acme/shop#22", "failed", "bbbbbbb", "3 h", "-", "it does not stay up (service api exits [31mwith code 1)"],
        ["acme/shop#3", "skipped", "-", "-", "-", "it comes from a fork (someone/shop)"],
    ]
    _, *rows = cells(run("list", "--all", "--config", "c.yaml", cwd=tmp_path).stdout)
    assert len(rows) == 5
    assert ["acme/longer-name#5", "gone", "-", "0 min", "-", "the pull request was merged"] in rows


def test_a_list_of_nothing_but_what_is_gone_says_what_to_do(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    remember(tmp_path, Record(Key(8, 5), "acme/shop", "x", Status(State.GONE, Reason.MERGED, now)))
    done = run("list", "--config", "c.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No environments. Open a pull request in a repository where the App is installed.\n"


def test_serve_without_its_key_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    done = start("serve", "--config", "c.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "key.pem: cannot be read" in done.stderr
    assert "previewbot doctor" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.engine
@pytest.mark.timeout(200)
async def test_doctor_and_list_beside_a_running_previewbot(tmp_path: Path) -> None:
    async with staged(tmp_path, say=machine.quiet) as stage:
        pull = await stage.github.open_pull(
            stage.repository, author="alice", title="x", files={sample.GREETING: "one\n"}
        )
        await until("the URL", lambda: Visitor(stage, pull).serves(pull.sha))
        config = ("--config", str(tmp_path / "config.yaml"))
        doctor = await asyncio.to_thread(start, "doctor", *config, cwd=tmp_path)
        assert doctor.returncode == 0, doctor.stdout
        assert "No problems." in doctor.stdout
        for part in ("previewbot (id 12345), 1 installation", "Docker", "Caddy at", "sqlite, schema", "GiB free"):
            assert part in doctor.stdout
        listed = await asyncio.to_thread(start, "list", "--json", *config, cwd=tmp_path)
        (row,) = json.loads(listed.stdout)
        assert (row["repository"], row["number"], row["commit"]) == ("acme/shop", 1, pull.sha)
        assert row["url"] == f"http://pr-1-shop.localhost:{stage.door}"

        del stage.github.state.app.permissions["deployments"]
        doctor = await asyncio.to_thread(start, "doctor", "--json", *config, cwd=tmp_path)
        assert doctor.returncode == 1
        (problem,) = [each for each in json.loads(doctor.stdout) if not each["ok"]]
        assert problem["detail"] == "the App lacks deployments: write"
        assert "Developer settings" in problem["fix"]

        second = await asyncio.to_thread(start, "serve", *config, cwd=tmp_path)
        assert second.returncode == 1
        assert "another previewbot" in second.stderr.lower()


@pytest.mark.engine
async def test_doctor_finds_everything_that_is_away_at_once(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("not a key")
    (tmp_path / "secret").write_text("s")
    (tmp_path / "c.yaml").write_text(
        CONFIG + "docker: {host: 'unix:///nowhere.sock'}\ncaddy: {admin: 'http://127.0.0.1:1'}\n"
        "server: {public_url: 'http://localhost:1'}\n"
    )
    done = await asyncio.to_thread(start, "doctor", "--config", "c.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name in ("GitHub App", "Engine", "Front door"):
        assert any(line.startswith(name) and "FAIL" in line for line in done.stdout.splitlines()), done.stdout
    assert done.stdout.count("→") >= 3
