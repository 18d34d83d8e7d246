"""What the operator has each namespace given, on a real cluster: a login that pulls images, and a certificate."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from previewbot.demo.github.state import Pull
from previewbot.demo.story import until
from tests.cluster.state import Cluster
from tests.fixtures.certificates import Papers, issue
from tests.fixtures.cluster_stage import Scene, scene
from tests.fixtures.guarded import PULLS, PUSHES, WRONG, Guarded

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

_DOMAIN = "preview.example.test"
_TOLD = ("lacks an image", "may not pull its image", "401 Unauthorized", "registry.pull_secret_file", "again by itself")


# --- a registry that lets nobody in without a login -------------------------------------------------------------------


@pytest.fixture
async def staged(shut: Guarded, cluster: Cluster, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(cluster, tmp_path) as made:
        yield made


async def test_a_login_that_may_not_pull_is_told_and_the_right_one_reaches_every_namespace_by_itself(
    shut: Guarded, staged: Scene, tmp_path: Path
) -> None:
    visitor = await staged.open()
    await staged.reads(visitor.pull, visitor.pull.sha[:7], *_TOLD, "previewbot's operator")
    (tmp_path / "pull.json").write_text(shut.config(PULLS))
    await staged.is_served(visitor)
    (namespace,) = await staged.namespaces()
    assert await _given(staged, namespace) == shut.config(PULLS)
    (tmp_path / "pull.json").write_text(shut.config(PUSHES))

    async def is_new() -> bool:
        return await _given(staged, namespace) == shut.config(PUSHES)

    await until("the namespace has the new login", is_new, patience=30, pause=0.5)
    assert await visitor.serves(visitor.pull.sha), "nothing of what runs is disturbed"
    assert await staged.repairs() == 0, "it is no drift"
    log = (staged.stage.folder / "previewbot.log").read_text()
    for secret in (PUSHES[1], PULLS[1], WRONG[1]):
        assert secret not in log
        assert not any(secret in each.body for each in visitor.pull.comments)


async def test_a_namespace_that_nobody_gives_a_login_any_more_keeps_none(
    shut: Guarded, staged: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pull.json").write_text(shut.config(PULLS))
    log = staged.stage.folder / "previewbot.log"
    await until("the login is read", lambda: "handed out anew" in log.read_text(), patience=30)
    visitor = await staged.open()
    await staged.is_served(visitor)
    (namespace,) = await staged.namespaces()
    await staged.stage.stop()
    monkeypatch.delenv("PREVIEWBOT_REGISTRY__PULL_SECRET_FILE")
    await staged.stage.start()

    async def is_empty() -> bool:
        return await _given(staged, namespace) == '{"auths":{}}'

    await until("the login is gone", is_empty, patience=60, pause=0.5)
    (account,) = [
        each for each in await staged.get(namespace, "serviceaccount") if each["metadata"]["name"] == "preview"
    ]
    assert "imagePullSecrets" not in account
    await staged.push(visitor.pull, greeting="again\n")
    await staged.reads(visitor.pull, visitor.pull.sha[:7], *_TOLD)


async def _given(made: Scene, namespace: str) -> str:
    (found,) = [each for each in await made.get(namespace, "secret") if each["metadata"]["name"] == "registry"]
    return base64.b64decode(found["data"][".dockerconfigjson"]).decode()


# --- a certificate ----------------------------------------------------------------------------------------------------


def _write(folder: Path, papers: Papers) -> None:
    (folder / "tls.key").write_text(papers.key)
    (folder / "tls.crt").write_text(papers.chain)


def _host(pull: Pull) -> str:
    return f"pr-{pull.number}-shop.{_DOMAIN}"


@pytest.fixture
def encrypted(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Previews are at https, below a domain that a wildcard may be for."""
    monkeypatch.setenv("PREVIEWBOT_PREVIEWS__DOMAIN", _DOMAIN)
    monkeypatch.setenv("PREVIEWBOT_PREVIEWS__SCHEME", "https")
    monkeypatch.setenv("PREVIEWBOT_PREVIEWS__PORT", cluster.secure_ingress.rpartition(":")[2])


@pytest.mark.usefixtures("encrypted")
async def test_a_preview_answers_with_the_operators_certificate_and_with_the_next_one_once_it_is_there(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = issue(f"*.{_DOMAIN}"), issue(f"*.{_DOMAIN}")
    _write(tmp_path, first)
    monkeypatch.setenv("PREVIEWBOT_KUBERNETES__TLS_CERTIFICATE_FILE", str(tmp_path / "tls.crt"))
    monkeypatch.setenv("PREVIEWBOT_KUBERNETES__TLS_KEY_FILE", str(tmp_path / "tls.key"))
    async with scene(cluster, tmp_path) as made:
        pull = (await made.open()).pull
        await made.reads(pull, "**Preview is ready**", f"https://{_host(pull)}:{cluster.secure_ingress[10:]}")
        await until("it answers", lambda: _answers(cluster, pull, first), patience=30, pause=0.2)
        _write(tmp_path, second)
        await until("it answers with the next", lambda: _answers(cluster, pull, second), patience=60, pause=0.5)
        with pytest.raises(ssl.SSLCertVerificationError):
            await _ask(cluster, _host(pull), first.trusting)
        (namespace,) = await made.namespaces()
        made.stage.github.close(made.stage.repository, pull)
        await made.is_gone(pull)
        assert namespace not in await made.namespaces()


@pytest.mark.usefixtures("encrypted")
async def test_on_a_gateway_a_preview_answers_with_the_certificate_of_its_listener(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers, home = issue(f"*.{_DOMAIN}"), f"gateways-{tmp_path.name.rpartition('_')[2]}"[:40].rstrip("-")
    _write(tmp_path, papers)
    cluster.kubectl("create", "namespace", home)
    try:
        files = ("--cert", str(tmp_path / "tls.crt"), "--key", str(tmp_path / "tls.key"))
        cluster.kubectl("-n", home, "create", "secret", "tls", "wildcard", *files)
        cluster.kubectl("-n", home, "apply", "-f", "-", given=json.dumps(_gateway(cluster)))
        about = {"name": "secure", "namespace": home, "section": "https"}
        monkeypatch.setenv("PREVIEWBOT_KUBERNETES__GATEWAY", json.dumps(about))
        async with scene(cluster, tmp_path) as made:
            pull = (await made.open()).pull
            await made.reads(pull, "**Preview is ready**", _host(pull))
            await until("it answers", lambda: _answers(cluster, pull, papers), patience=30, pause=0.2)
    finally:
        cluster.kubectl("delete", "namespace", home)


def _gateway(cluster: Cluster) -> dict[str, Any]:
    listener = {
        "name": "https",
        "port": int(cluster.secure_ingress.rpartition(":")[2]),
        "protocol": "HTTPS",
        "hostname": f"*.{_DOMAIN}",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "wildcard"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "secure"},
        "spec": {"gatewayClassName": cluster.ingress_class, "listeners": [listener]},
    }


async def _answers(cluster: Cluster, pull: Pull, papers: Papers) -> bool:
    """Whether the preview of a commit is served with a certificate, and no other."""
    try:
        told, shown = await _ask(cluster, _host(pull), papers.trusting)
    except (OSError, asyncio.IncompleteReadError):  # a wrong certificate is one, too
        return False
    wanted = x509.load_pem_x509_certificate(papers.chain.encode())
    return told.endswith(pull.sha) and x509.load_der_x509_certificate(shown) == wanted


async def _ask(cluster: Cluster, host: str, trusting: ssl.SSLContext) -> tuple[str, bytes]:
    """Ask over TLS as a browser would that finds the host there; gives the answer, and the certificate it came with."""
    address, _, port = cluster.secure_ingress.rpartition(":")
    reader, writer = await asyncio.open_connection(address, int(port), ssl=trusting, server_hostname=host)
    try:
        writer.write(f"GET /commit.txt HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        told = (await reader.read()).decode().strip()
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return told, shown
    finally:
        writer.close()
