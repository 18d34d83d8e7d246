"""``previewbot init`` writes one file, never over another without being told to, and says what it left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from previewbot.core.blueprint import Blueprint
from previewbot.wire.blueprint import parse
from tests.fixtures.command import run
from tests.wire.adoption.sources import COMPOSE, DOCKERFILE


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_bytes(COMPOSE)
    return tmp_path


def test_the_file_that_it_writes_has_no_flaws(repository: Path) -> None:
    done = run("init", cwd=repository)
    assert done.returncode == 0
    assert done.stdout.startswith("Wrote previewbot.yaml.")
    assert "compose.yaml:24: `restart` of service `web`: " in done.stderr
    assert run("validate", cwd=repository).returncode == 0


def test_a_file_that_is_there_stays_unless_it_is_forced(repository: Path) -> None:
    target = repository / "previewbot.yaml"
    target.write_text("mine")
    done = run("init", str(repository), cwd=repository)
    assert (done.returncode, target.read_text()) == (2, "mine")
    assert "already exists" in done.stderr
    assert run("init", str(repository), "--force", cwd=repository).returncode == 0
    assert isinstance(parse(target.read_bytes(), fallback_app="app"), Blueprint)


def test_a_link_is_replaced_and_never_what_it_leads_to(repository: Path) -> None:
    (repository / "elsewhere").write_text("mine")
    (repository / "previewbot.yaml").symlink_to("elsewhere")
    assert run("init", cwd=repository).returncode == 2
    assert run("init", "--force", cwd=repository).returncode == 0
    assert (repository / "elsewhere").read_text() == "mine"
    assert not (repository / "previewbot.yaml").is_symlink()


def test_it_can_be_looked_at_without_being_written(repository: Path) -> None:
    done = run("init", "--stdout", cwd=repository)
    assert isinstance(parse(done.stdout.encode(), fallback_app="app"), Blueprint)
    assert not (repository / "previewbot.yaml").exists()


def test_dockerfiles_are_found_further_down_but_not_in_what_others_wrote(tmp_path: Path) -> None:
    for folder in ("services/web", "services/api", "node_modules/x", ".cache/y"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "Dockerfile").write_bytes(DOCKERFILE)
    (tmp_path / "loop").symlink_to(tmp_path)
    found = parse(run("init", "--stdout", cwd=tmp_path).stdout.encode(), fallback_app="app")
    assert isinstance(found, Blueprint)
    assert [(each.name, each.public) for each in found.services] == [("api", False), ("web", True)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 1, "nothing in it says what runs"),
        (("nowhere",), 2, "nowhere is not a folder."),
    ],
)
def test_a_folder_that_says_nothing_is_told(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run("init", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_read_as_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n\tweb: 1\n")
    done = run("init", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("compose.yaml:2:1: ")
