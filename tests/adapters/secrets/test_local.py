"""The file of secrets: what it shows, and what it does not open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from previewbot.adapters.secrets import LocalSecrets, make_key, read_key
from previewbot.core.errors import Refused
from previewbot.core.secrets import Scope, SecretName
from previewbot.ports import Value

PREVIEW, PRODUCTION = Scope("shop", "preview"), Scope("shop", "production")
TOKEN = SecretName("web", "TOKEN")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


async def test_the_file_shows_names_and_no_value_and_only_its_owner_can_read_it(path: Path) -> None:
    await LocalSecrets(path, b"k" * 32).put(PREVIEW, TOKEN, Value("hunter2"))
    assert "shop/preview/web/TOKEN" in path.read_text()
    assert "hunter2" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_secret_that_was_moved_to_another_environment_does_not_open(path: Path) -> None:
    store = LocalSecrets(path, b"k" * 32)
    await store.put(PRODUCTION, TOKEN, Value("hunter2"))
    moved = json.loads(path.read_text())
    moved["secrets"]["shop/preview/web/TOKEN"] = moved["secrets"].pop("shop/production/web/TOKEN")
    path.write_text(json.dumps(moved))
    with pytest.raises(Refused, match=r"shop/preview/web/TOKEN does not open"):
        await store.values(PREVIEW, {TOKEN})


async def test_another_key_opens_nothing_and_the_check_says_so(path: Path) -> None:
    await LocalSecrets(path, b"k" * 32).put(PREVIEW, TOKEN, Value("hunter2"))
    with pytest.raises(Refused, match="the key is another one"):
        await LocalSecrets(path, b"l" * 32).check()


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', "\x00"])
async def test_a_file_that_is_none_of_ours_is_refused_and_left_as_it_is(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(Refused, match="no file of secrets"):
        await LocalSecrets(path, b"k" * 32).put(PREVIEW, TOKEN, Value("x"))
    assert path.read_text() == text


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    key = tmp_path / "folder" / "secrets.key"
    make_key(key)
    text = key.read_text()
    make_key(key)
    assert key.read_text() == text
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(read_key(text)) == 32


@pytest.mark.parametrize("text", ["", "hunter2", "aHVudGVyMg=="])
def test_what_is_no_key_is_told_and_never_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32") as raised:
        read_key(text)
    assert not text or text not in str(raised.value)
