"""``previewbot secrets``: values come in by standard input, and never out again."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from previewbot.adapters.aws import Account
from previewbot.adapters.store import open_store
from previewbot.app import open_secrets
from previewbot.core.ids import Key
from previewbot.core.model import Record, ReleaseRecord, ReleaseState
from previewbot.core.secrets import SHARED, Scope, Seal, SecretName
from previewbot.ports import Secrets, Value
from previewbot.settings import load
from tests.fixtures.command import Done, run, start

_CONFIG = """\
github: {app_id: 1, private_key_file: key.pem, webhook_secret_files: [secret]}
storage: {folder: state}
"""
_BLUEPRINT = """\
version: 1
app: shop
services:
  web: {build: ., port: 80, secrets: [STRIPE_KEY, SESSION_KEY]}
  worker: {build: ., env: {TOKEN: "${secrets.TOKEN}"}}
secrets: {SESSION_KEY: {generate: 32}, HOOK_KEY: {}}
hooks: {release: {service: worker, command: [migrate, "${secrets.HOOK_KEY}"]}}
environments: {production: {services: {web: {replicas: 2}}}}
"""


def secrets(*arguments: str, folder: Path, given: str = "", more: str = "", by: Callable[..., Done] = run) -> Done:
    (folder / "config.yaml").write_text(f"{_CONFIG}{more}")
    (folder / "previewbot.yaml").write_text(_BLUEPRINT)
    return by("secrets", *arguments, "--config", "config.yaml", cwd=folder, given=given)


def test_a_secret_is_set_listed_rotated_and_removed_and_never_shown(tmp_path: Path) -> None:
    assert secrets("set", "shop", "STRIPE_KEY", folder=tmp_path, given="hunter2\n", by=start).returncode == 0
    first = json.loads(secrets("list", "shop", "--json", folder=tmp_path).stdout)
    assert [(each["name"], each["owner"]) for each in first] == [("STRIPE_KEY", "shared")]
    assert secrets("rotate", "shop", "STRIPE_KEY", "--generate", "32", folder=tmp_path).returncode == 0
    assert json.loads(secrets("list", "shop", "--json", folder=tmp_path).stdout)[0]["version"] != first[0]["version"]
    assert secrets("remove", "shop", "STRIPE_KEY", folder=tmp_path).returncode == 0
    assert "has no secrets for preview" in secrets("list", "shop", folder=tmp_path).stdout
    assert "hunter2" not in (tmp_path / "state" / "secrets.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("store", ["aws-ssm", "aws-secrets-manager"])
def test_it_can_be_kept_in_aws(tmp_path: Path, aws_account: Account, store: str) -> None:
    where = f"{{region: {aws_account.region}, endpoint_url: '{aws_account.endpoint_url}', prefix: keyring}}"
    more = f"secrets: {{store: {store}}}\naws: {where}\n"
    assert secrets("set", "shop", "STRIPE_KEY", folder=tmp_path, given="hunter2\n", more=more).returncode == 0
    assert json.loads(secrets("list", "shop", "--json", folder=tmp_path, more=more).stdout)[0]["name"] == "STRIPE_KEY"
    refused = secrets("set", "shop", "EMPTY", folder=tmp_path, given="x" * 70_000, more=more)
    assert refused.returncode == 1
    assert "70000" in refused.stderr
    assert "xxx" not in refused.stderr
    assert not (tmp_path / "state").exists() or not list((tmp_path / "state").iterdir())


def test_the_key_may_be_in_the_environment_and_no_other_opens_what_it_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (("set", "shop", "STRIPE_KEY"), ("rotate", "shop", "STRIPE_KEY", "--generate", "32")):
        monkeypatch.setenv("PREVIEWBOT_SECRETS_KEY", base64.b64encode(b"k" * 32).decode())
        assert secrets(*arguments, folder=tmp_path, given="hunter2\n").returncode == 0
        assert "PREVIEWBOT_SECRETS_KEY" not in os.environ, "no program that previewbot starts is to inherit it"
    assert not (tmp_path / "state" / "secrets.key").exists(), "none is made beside it"
    monkeypatch.setenv("PREVIEWBOT_SECRETS_KEY", "c2hvcnQ=")
    done = secrets("list", "shop", folder=tmp_path)
    assert done.returncode == 2
    assert "PREVIEWBOT_SECRETS_KEY: the key of the secrets has 5 bytes" in done.stderr
    assert "c2hvcnQ" not in done.stderr


def test_a_value_as_an_argument_is_refused_with_the_reason(tmp_path: Path) -> None:
    done = secrets("set", "shop", "STRIPE_KEY", "hunter2", folder=tmp_path)
    assert done.returncode == 2
    assert "A value is never an argument." in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert not (tmp_path / "state" / "secrets.json").exists()


def test_the_check_tells_what_is_missing_where_before_anything_is_deployed(tmp_path: Path) -> None:
    secrets("set", "shop", "STRIPE_KEY", folder=tmp_path, given="hunter2")
    secrets("set", "shop", "TOKEN", "--service", "worker", "--kind", "production", folder=tmp_path, given="hunter2")
    done = secrets("check", "--json", folder=tmp_path)
    assert done.returncode == 1
    rows = {(each["environment"], each["service"], each["name"]): each["state"] for each in json.loads(done.stdout)}
    assert rows == {
        ("preview", "web", "STRIPE_KEY"): "set (shared)",
        ("preview", "web", "SESSION_KEY"): "made by previewbot",
        ("preview", "worker", "TOKEN"): "missing",
        ("preview", "worker", "HOOK_KEY"): "missing",
        ("production", "web", "STRIPE_KEY"): "missing",
        ("production", "web", "SESSION_KEY"): "made by previewbot",
        ("production", "worker", "TOKEN"): "set (worker)",
        ("production", "worker", "HOOK_KEY"): "missing",
    }
    assert "4 missing" in done.stderr


@pytest.mark.parametrize("command", [("set",), ("rotate", "--generate", "9"), ("remove",)])
def test_what_previewbot_makes_is_not_set_by_anybody_and_the_blueprint_that_says_so_is_named(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = secrets(command[0], "shop", "SESSION_KEY", *command[1:], folder=tmp_path, given="hunter2")
    assert done.returncode == 2
    first, why, fix = done.stderr.splitlines()
    assert first == "SESSION_KEY of shop is made by previewbot, and nobody sets it."
    assert "previewbot.yaml says `generate: 32`: each environment gets one of its own." in why
    assert "previewbot secrets rotate APP NAME --environment OWNER/REPO#NUMBER" in fix
    assert "take `generate` out first" in fix
    kept = tmp_path / "state" / "secrets.json"
    assert not kept.exists() or json.loads(kept.read_text())["secrets"] == {}
    assert secrets(*command, "shelf", "SESSION_KEY", folder=tmp_path, given="x").returncode != 2, "another app's"


async def _remember(folder: Path) -> None:
    """Let a preview run with a secret that was made for it."""
    now, key = datetime.now(UTC), Key(7, 42)
    seal = Seal(SecretName(SHARED, "SESSION_KEY"), "1", own=True)
    served = ReleaseRecord(key, "r1", "c1", ReleaseState.SERVING, now, now, seals=(seal,))
    (folder / "state").mkdir()
    async with open_store(f"sqlite:///{folder / 'state' / 'previewbot.db'}") as store:
        await store.save(Record(key, repository_name="acme/shop", app="shop"))
        await store.save_release(served)


def test_where_no_blueprint_is_at_hand_the_previews_tell_what_is_made(tmp_path: Path) -> None:
    asyncio.run(_remember(tmp_path))
    elsewhere = ("--blueprint", "nowhere.yaml")
    for command in (("rotate", "--generate", "9"), ("remove",)):
        done = secrets(*command, "shop", "SESSION_KEY", *elsewhere, folder=tmp_path)
        assert done.returncode == 2
        assert "acme/shop#42 runs with one that was made for it alone." in done.stderr
    done = secrets("set", "shop", "SESSION_KEY", *elsewhere, folder=tmp_path, given="hunter2")
    assert done.returncode == 0, "the blueprint may be about to change"
    assert "what you set is not asked for" in done.stderr
    assert not secrets("set", "shop", "STRIPE_KEY", *elsewhere, folder=tmp_path, given="hunter2").stderr


_OWN, _MADE = Scope.own(Key(7, 42)), SecretName(SHARED, "SESSION_KEY")


def _local(folder: Path) -> Secrets:
    return open_secrets(load(folder / "config.yaml"))


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("inside")
def test_what_was_made_for_a_preview_is_made_anew_on_demand_and_is_as_long(tmp_path: Path) -> None:
    asyncio.run(_remember(tmp_path))
    secrets("list", "shop", folder=tmp_path)
    first = asyncio.run(_local(tmp_path).put(_OWN, _MADE, Value("a" * 24)))
    done = secrets("rotate", "shop", "SESSION_KEY", "--environment", "acme/shop#42", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("SESSION_KEY of acme/shop#42 is rotated. It arrives with the next push")
    assert asyncio.run(_local(tmp_path).versions(_OWN, {_MADE})) != {_MADE: first}
    made = asyncio.run(_local(tmp_path).values(_OWN, {_MADE}))[_MADE].text
    assert len(made) == 24
    assert made != "a" * 24
    assert made not in done.stdout


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("shop", "SESSION_KEY", "--environment", "42"), "`42` is no pull request", 1),
        (("shop", "SESSION_KEY", "--environment", "acme/shop#7"), "acme/shop#7 has no environment", 1),
        (("shelf", "SESSION_KEY", "--environment", "acme/shop#42"), "acme/shop#42 is of shop, not of shelf.", 1),
        (("shop", "STRIPE_KEY", "--environment", "acme/shop#42"), "No STRIPE_KEY was made for acme/shop#42", 1),
        (("shop", "SESSION_KEY", "--environment", "acme/shop#42", "--generate", "9"), "--environment goes with", 2),
        (("shop", "SESSION_KEY", "--environment", "acme/shop#42", "--service", "web"), "--environment goes with", 2),
        (("shop", "SESSION_KEY", "--environment", "acme/shop#42", "--kind", "staging"), "--environment goes with", 2),
    ],
)
def test_nothing_is_made_anew_for_a_preview_that_has_no_such_secret(
    tmp_path: Path, arguments: tuple[str, ...], told: str, code: int
) -> None:
    asyncio.run(_remember(tmp_path))
    done = secrets("rotate", *arguments, folder=tmp_path)
    assert done.returncode == code
    assert told in done.stderr
    assert not asyncio.run(_local(tmp_path).versions(_OWN))


def test_the_check_shows_what_is_set_in_vain(tmp_path: Path) -> None:
    for name in ("SESSION_KEY", "STRIPE_KYE", "STRIPE_KEY"):
        secrets("set", "shop", name, "--blueprint", "nowhere.yaml", folder=tmp_path, given="hunter2")
    rows = json.loads(secrets("check", "--json", "--kind", "preview", folder=tmp_path).stdout)
    assert [(each["service"], each["name"], each["state"]) for each in rows[-2:]] == [
        ("shared", "SESSION_KEY", "set in vain: made by previewbot"),
        ("shared", "STRIPE_KYE", "set in vain: no service here asks for it"),
    ]
    assert secrets("remove", "shop", "SESSION_KEY", folder=tmp_path).returncode == 0, "it can be taken away"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "shop", "STRIPE_KEY"), "Standard input was empty."),
        (("set", "../shop", "STRIPE_KEY"), "`../shop` is not a valid name."),
        (("set", "shop", "A/B"), "`A/B` is not a valid name."),
        (("rotate", "shop", "STRIPE_KEY"), "is not set for preview"),
        (("remove", "shop", "STRIPE_KEY"), "was not set for preview"),
    ],
)
def test_nonsense_is_told_and_changes_nothing(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = secrets(*arguments, folder=tmp_path, given="x" if told.startswith("`") else "")
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    kept = tmp_path / "state" / "secrets.json"
    assert not kept.exists() or json.loads(kept.read_text())["secrets"] == {}


def test_another_key_is_told_with_what_to_do(tmp_path: Path) -> None:
    secrets("set", "shop", "STRIPE_KEY", folder=tmp_path, given="hunter2")
    (tmp_path / "state" / "secrets.key").write_text("short")
    done = secrets("list", "shop", folder=tmp_path)
    assert done.returncode == 2
    assert "openssl rand -base64 32" in done.stderr
