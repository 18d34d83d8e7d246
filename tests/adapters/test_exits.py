"""The end of a program in people's words, the same on every runtime."""

from __future__ import annotations

import pytest

from previewbot.adapters.exits import cannot_start, exits, killed


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (1, "exits with code 1"),
        (126, "exits with code 126 (its command cannot be run)"),
        (137, "exits with code 137 (SIGKILL)"),
        (255, "exits with code 255"),
        ("?", "exits with code ?"),
    ],
)
def test_a_code_is_told_with_what_it_means(code: object, told: str) -> None:
    assert exits(code) == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('exec: "/app": exec format error: unknown', "built for another kind of processor"),
        ('exec: "nope": executable file not found in $PATH', "a command that its image does not have"),
        ('exec: "/nope": stat /nope: no such file or directory', "a command that its image does not have"),
        ('exec: "/app": permission denied', "a command that it may not execute"),
    ],
)
def test_a_program_that_cannot_begin_says_why(said: str, told: str) -> None:
    assert told in (cannot_start(f"OCI runtime create failed: {said}: unknown") or "")


def test_what_says_nothing_of_a_program_is_passed_on_as_it_is() -> None:
    assert cannot_start("OCI runtime create failed: no such device") is None


def test_a_lack_of_memory_is_told_with_the_limit_where_that_is_known() -> None:
    assert killed("64 MiB") == "was killed: out of memory (limit 64 MiB)"
    assert killed(None) == "was killed: out of memory"
