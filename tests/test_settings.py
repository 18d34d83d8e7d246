"""The configuration is checked whole, every fault says where it is, and every setting stands in the example."""

from __future__ import annotations

import base64
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from previewbot.settings import SECRETS_KEY, Faulty, Settings, load, read_secret

EXAMPLE = Path("config/previewbot.yaml")


def _write(folder: Path, text: str) -> Path:
    file = folder / "previewbot.yaml"
    file.write_text(text)
    return file


def test_the_example_is_valid() -> None:
    assert load(EXAMPLE).github.app_id == 12345


def test_every_setting_stands_in_the_example_with_its_default() -> None:
    """Uncommented, the example holds exactly the settings that there are, and nothing but their defaults."""
    text = re.sub(r"^( *)# ?( *(?:- )?(?:[a-z_]+:|# ))", r"\1\2", EXAMPLE.read_text(), flags=re.MULTILINE)
    shown = YAML(typ="safe", pure=True).load(re.sub(r"^# .*$", "", text, flags=re.MULTILINE))
    everything = Settings(**shown)
    assert _keys(shown) == _keys(everything.model_dump())
    plain = load(EXAMPLE)
    assert everything.model_dump() == plain.model_dump()


def _keys(values: dict[str, object]) -> set[str]:
    found = set()
    for name, value in values.items():
        found |= {f"{name}.{each}" for each in _keys(value)} if isinstance(value, dict) else {name}
    return found


def test_every_setting_says_what_it_means() -> None:
    sections = [each.annotation for each in Settings.model_fields.values()]
    for section in (each for each in sections if isinstance(each, type) and issubclass(each, BaseModel)):
        assert all(each.description for each in section.model_fields.values()), section


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREVIEWBOT_GITHUB__APP_ID", "7")
    monkeypatch.setenv("PREVIEWBOT_PREVIEWS__DRAIN", "9s")
    settings = load(EXAMPLE)
    assert settings.github.app_id == 7
    assert settings.previews.drain == timedelta(seconds=9)
    assert settings.instance_name == "app-7"


def test_all_faults_are_told_at_once_with_their_place(tmp_path: Path) -> None:
    file = _write(tmp_path, "github: {app_id: x, private_key_file: k}\npreviews: {drian: 3s, drain: soon}\n")
    with pytest.raises(Faulty) as caught:
        load(file)
    told = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 4
    for part in ("github.app_id", "github.webhook_secret_files is missing", "previews.drian is not a setting", "30s"):
        assert part in told
    assert "PREVIEWBOT_GITHUB__WEBHOOK_SECRET_FILES" in told


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "\tx: 1", "a: 1\na: 2", "\x00", "just words"])
def test_nonsense_is_a_fault_and_not_a_crash(tmp_path: Path, text: str) -> None:
    with pytest.raises(Faulty) as caught:
        load(_write(tmp_path, text))
    assert str(tmp_path) in str(caught.value)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Faulty, match="cannot be read"):
        load(tmp_path / "no.yaml")


def test_a_secret_is_read_without_its_line_break_and_never_empty(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"s3cret\n")
    assert read_secret(file) == b"s3cret"
    file.write_bytes(b"\n")
    with pytest.raises(Faulty, match="is empty"):
        read_secret(file)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("registry: {prefix: previews}", "registry.prefix a registry's host and a folder in it"),
        ("registry: {prefix: 'https://registry.test/x'}", "registry.prefix a registry's host and a folder in it"),
        ("registry: {prefix: registry.test/Previews}", "registry.prefix a registry's host and a folder in it"),
        (
            "registry: {prefix: registry.test/x, plain_http: true}",
            "registry plain_http would send credentials to regis",
        ),
        ("registry: {prefix: '10.0.0.1:5000/x', plain_http: true}", "this machine alone (localhost, 127.0.0.1)"),
        ("registry: {prefix: registry.test/x, username: robot}", "registry username and password_file belong together"),
        ("registry: {username: a, password_file: b, docker_config_file: c}", "cannot both be set"),
        ("buildkit: {address: 'ssh://build.test'}", "buildkit.address an address such as unix:///run"),
        ("buildkit: {address: 'tcp://build.test:1234'}", "set tls_ca_file, tls_certificate_file and tls_key_file"),
        ("buildkit: {address: 'kube-pod://buildkitd-0'}", "kube-pod://POD?namespace=NAME"),
        ("buildkit: {address: 'kube-pod://b?namespace=n&context=c'}", "buildkit.address context means nothing here"),
        ("buildkit: {tls_ca_file: ca.pem}", "belong together: set all three"),
        ("buildkit: {cache: disk}", "buildkit.cache"),
        ("resources: {aws: [queue]}", "resources.aws needs to know where: set aws.account and aws.region"),
        ("resources: {aws: [redis]}", "redis cannot come from AWS; storage and queue can"),
        ("kubernetes: {tls_key_file: k}", "kubernetes tls_certificate_file and tls_key_file belong together"),
        ("kubernetes: {tls_secret: t, cluster_issuer: i}", "tls_secret and cluster_issuer are each a way"),
        (
            "kubernetes: {tls_certificate_file: c, tls_key_file: k, gateway: {name: g, namespace: n}}",
            "tls_certificate_file has no use beside gateway; the certificate of a Gateway is its listener's",
        ),
        ("kubernetes: {quota: {pods: lots}}", "kubernetes.quota.pods 'lots' is no amount"),
        ("kubernetes: {quota: {pods: -1}}", "kubernetes.quota.pods an amount such as 20, 500m or 8Gi is needed"),
        ("kubernetes: {quota: {limits.memory: [8Gi]}}", "kubernetes.quota.limits.memory an amount such as"),
        ("aws: {account: '1234'}", "aws.account"),
        ("aws: {prefix: awsome}", "aws.prefix"),
        ("secrets: {store: aws-ssm}", "secrets.store is aws-ssm, and nobody says where: set aws.region"),
        ("secrets: {store: aws-ssm, key_file: k}\naws: {region: eu-west-1}", "key_file opens the local store alone"),
    ],
)
def test_what_would_show_a_secret_or_reach_nothing_is_a_fault(tmp_path: Path, written: str, told: str) -> None:
    github = "github: {app_id: 1, private_key_file: k, webhook_secret_files: [s]}"
    with pytest.raises(Faulty) as caught:
        load(_write(tmp_path, f"{github}\n{written}\n"))
    assert len(caught.value.faults) == 1
    assert told in str(caught.value)


def test_a_quota_is_read_as_the_cluster_keeps_it_however_it_is_written(tmp_path: Path) -> None:
    github = "github: {app_id: 1, private_key_file: k, webhook_secret_files: [s]}"
    quota = "{limits.memory: 8192Mi, requests.cpu: 0.5, pods: 30}"
    settings = load(_write(tmp_path, f"{github}\nkubernetes: {{quota: {quota}}}\n"))
    assert settings.kubernetes.quota == {"limits.memory": "8Gi", "requests.cpu": "500m", "pods": "30"}


@pytest.mark.parametrize(
    ("written", "store"),
    [
        ("", "local"),
        ("aws: {region: eu-west-1}", "aws-ssm"),
        ("aws: {region: eu-west-1}\nsecrets: {store: local}", "local"),
        ("aws: {region: eu-west-1}\nsecrets: {key_file: k}", "local"),
        ("aws: {region: eu-west-1}\nsecrets: {store: aws-secrets-manager}", "aws-secrets-manager"),
    ],
)
def test_secrets_are_where_the_operator_works_unless_it_is_said(tmp_path: Path, written: str, store: str) -> None:
    github = "github: {app_id: 1, private_key_file: k, webhook_secret_files: [s]}"
    assert load(_write(tmp_path, f"{github}\n{written}\n")).secrets_store == store


def test_the_key_of_the_secrets_is_taken_out_of_the_environment_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    monkeypatch.setenv(SECRETS_KEY, key)
    settings = load(EXAMPLE)
    assert settings.secrets_key == key
    assert SECRETS_KEY not in os.environ
    assert key not in repr(settings)
    for other in ("secrets: {key_file: k}", "secrets: {store: aws-ssm}\naws: {region: eu-west-1}"):
        monkeypatch.setenv(SECRETS_KEY, key)
        github = "github: {app_id: 1, private_key_file: k, webhook_secret_files: [s]}"
        with pytest.raises(Faulty, match="exclude each other") as caught:
            load(_write(tmp_path, f"{github}\n{other}\n"))
        assert key not in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        "registry: {prefix: 'localhost:5000', plain_http: true}",
        "registry: {prefix: 127.0.0.2/previews, plain_http: true}",
        "registry: {prefix: registry.test/team/previews, username: robot, password_file: p}",
        "buildkit: {address: 'tcp://127.0.0.1:1234'}",
        "buildkit: {address: 'kube-pod://buildkit-0?namespace=build', cache: none}",
        "buildkit: {address: 'tcp://b.test:1', tls_ca_file: a, tls_certificate_file: b, tls_key_file: c}",
    ],
)
def test_what_is_safe_is_taken(tmp_path: Path, written: str) -> None:
    github = "github: {app_id: 1, private_key_file: k, webhook_secret_files: [s]}"
    assert load(_write(tmp_path, f"{github}\n{written}\n")).github.app_id == 1
