"""The log file of a build."""

from __future__ import annotations

from pathlib import Path

from previewbot.adapters.building.log import Log


def test_it_grows_while_it_is_written_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("older")
    log = Log(path)
    log.write(b"one\n")
    assert path.read_bytes() == b"one\n"
    log.close()


def test_it_is_cut_at_its_limit_and_says_so_once(tmp_path: Path) -> None:
    log = Log(tmp_path / "x.log", limit=10)
    for _ in range(5):
        log.write(b"1234567")
    log.remark("the end.")
    log.close()
    text = (tmp_path / "x.log").read_text()
    assert text.startswith("1234567123\npreviewbot: the log is longer than")
    assert text.count("previewbot:") == 2
    assert text.endswith("the end.\n")


def test_a_log_that_cannot_be_written_is_not_written(tmp_path: Path) -> None:
    log = Log(tmp_path / "missing" / "x.log")
    log.write(b"one")
    log.close()
    assert not (tmp_path / "missing").exists()
