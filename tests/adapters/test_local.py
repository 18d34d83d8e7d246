"""Logs are found by names that previewbot made, and no other; old ones go."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from previewbot.adapters.local import LogFiles, SystemClock


def test_a_log_lies_in_the_folder_under_its_name(tmp_path: Path) -> None:
    name = secrets.token_urlsafe(24)
    assert LogFiles(tmp_path).path(name) == tmp_path / f"{name}.log"


@pytest.mark.parametrize(
    "name", ["", "short", "../../../../etc/passwd-aaaaaaaa", "a" * 19, "a" * 65, "ä" * 30, "a\n" * 15]
)
def test_no_other_name_reaches_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        LogFiles(tmp_path).path(name)


def test_only_old_logs_are_deleted(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path)
    now = datetime.now(UTC)
    for name, days in (("o" * 30, 31), ("y" * 30, 1)):
        logs.path(name).touch()
        then = (now - timedelta(days=days)).timestamp()
        os.utime(logs.path(name), (then, then))
    assert logs.prune(now, timedelta(days=30)) == 1
    assert [each.stem for each in tmp_path.iterdir()] == ["y" * 30]


def test_the_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
