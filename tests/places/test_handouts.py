"""The files that every namespace is given: read again when they change, and never something that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from previewbot.places.handouts import Handouts
from previewbot.settings import Faulty, Settings
from tests.fixtures.certificates import Papers, issue

PULL = '{"auths": {"registry.test": {"auth": "cHVsbDpzM2NyZXQ="}}}'


def _settings(folder: Path, *, pull: bool = True, certificate: bool = True) -> Settings:
    sections: Mapping[str, Any] = {
        "github": {"app_id": 1, "private_key_file": "k", "webhook_secret_files": ["s"]},
        "registry": {"pull_secret_file": folder / "pull.json"} if pull else {},
        "kubernetes": {"tls_certificate_file": folder / "tls.crt", "tls_key_file": folder / "tls.key"}
        if certificate
        else {},
    }
    return Settings(**sections)


def _write(folder: Path, papers: Papers) -> None:
    (folder / "tls.crt").write_text(papers.chain)
    (folder / "tls.key").write_text(papers.key)


async def _eventually(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def test_what_changes_is_told_once_and_half_of_a_pair_changes_nothing(tmp_path: Path) -> None:
    first, second = issue("*.preview.test"), issue("*.preview.test")
    (tmp_path / "pull.json").write_text(PULL)
    _write(tmp_path, first)
    handouts, told = Handouts(_settings(tmp_path)), list[str]()
    renewing = asyncio.create_task(handouts.renew(lambda: told.append("changed"), pause=0.01))
    try:
        (tmp_path / "tls.crt").write_text(second.chain)
        await asyncio.sleep(0.1)
        assert handouts.current.certificate
        assert handouts.current.certificate.chain == first.chain
        assert not told
        (tmp_path / "tls.key").write_text(second.key)
        await _eventually(lambda: told == ["changed"])
        assert (handouts.current.certificate.chain, handouts.current.certificate.key) == (second.chain, second.key)
        (tmp_path / "pull.json").unlink()
        await asyncio.sleep(0.1)
        assert handouts.current.pull_secret == PULL
        (tmp_path / "pull.json").write_text(PULL.replace("registry.test", "other.test"))
        await _eventually(lambda: told == ["changed", "changed"])
        assert not renewing.done()
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing


async def test_where_there_is_nothing_to_hand_out_nothing_is_read_and_the_chore_goes_on(tmp_path: Path) -> None:
    handouts = Handouts(_settings(tmp_path, pull=False, certificate=False))
    assert (handouts.current.pull_secret, handouts.current.certificate) == (None, None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(handouts.renew(list, pause=0.01), 0.1)


@pytest.mark.parametrize("text", ["", "hunter2", '{"auths": {}}', '{"auths": []}', "[1]", "{" * 100_000])
def test_a_pull_secret_that_no_cluster_would_take_is_a_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "pull.json").write_text(text)
    with pytest.raises(Faulty, match=r"pull\.json: is (empty|not what `docker login` writes)") as caught:
        Handouts(_settings(tmp_path, certificate=False))
    assert "hunter2" not in str(caught.value)


def test_a_certificate_that_is_none_or_anothers_is_a_fault(tmp_path: Path) -> None:
    papers = issue("*.preview.test")
    for chain, key, told in (
        ("nonsense", papers.key, "cannot be used"),
        (papers.chain, issue("*.preview.test").key, "key values mismatch"),
        (papers.chain, papers.locked, "it is encrypted; a key without a password is needed"),
    ):
        (tmp_path / "tls.crt").write_text(chain)
        (tmp_path / "tls.key").write_text(key)
        with pytest.raises(Faulty) as caught:
            Handouts(_settings(tmp_path, pull=False))
        assert told in str(caught.value)
        assert "tls.crt: cannot be used with the key" in str(caught.value)
