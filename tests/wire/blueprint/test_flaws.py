"""Each fault of the grammar is told at its line and column, with the way to mend it: all those of a file at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from previewbot.core.blueprint import Blueprint
from tests.wire.blueprint.stack import flaws, read

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_every_fault_of_a_broken_file_is_told(file: Path) -> None:
    """What is expected stands beside each file, one flaw a line."""
    assert flaws(file.read_text()) == file.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_no_flaw_repeats_what_may_be_a_secret(file: Path) -> None:
    assert not any("sk_live" in flaw for flaw in flaws(file.read_text()))


def test_hundreds_of_services_in_a_circle_are_a_few_short_flaws() -> None:
    services = "".join(f"  s{n}: {{image: x, depends_on: [s{(n + 1) % 500}]}}\n" for n in range(500))
    found = read(f"version: 1\nservices:\n{services}")
    assert isinstance(found, tuple)
    assert any("s0 → s1 → " in flaw.problem for flaw in found)
    assert all(len(flaw.problem) < 200 for flaw in found)


@pytest.mark.parametrize("version", [".10", "+1", "-1", "1e+5"])
def test_a_number_that_is_no_version_is_told_where_it_stands(version: str) -> None:
    text = f"version: 1\nservices: {{web: {{build: .}}}}\nresources:\n  db: {{type: postgres, version: {version}}}\n"
    found = read(text)
    assert not isinstance(found, Blueprint)
    told = [(each.line, each.column, each.problem) for each in found]
    assert told == [(4, 33, "`version` in resource `db` is not a version")]
