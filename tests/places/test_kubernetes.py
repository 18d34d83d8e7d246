"""previewbot serving on a cluster: what it tells its operator of that, and when it ends rather than go on blindly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from previewbot.cli.doctor import Finding, examine
from previewbot.settings import Settings
from tests.fixtures.api_server import Answer, Server
from tests.fixtures.certificates import issue
from tests.fixtures.registry import free_port

_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_GATEWAY = {"gateway": {"name": "public", "namespace": "gateways"}}


def _sections(folder: Path, server: Server, **kubernetes: Any) -> dict[str, Any]:
    """A configuration whose GitHub, BuildKit and registry nobody answers for."""
    key = generate_private_key(65537, 2048)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "secret").write_text("s" * 32)
    away = f"http://127.0.0.1:{free_port()}"
    github = {"app_id": 1, "private_key_file": str(folder / "key.pem"), "api_url": away}
    return {
        "runtime": "kubernetes",
        "github": github | {"webhook_secret_files": [str(folder / "secret")]},
        "server": {"port": free_port()},
        "storage": {"folder": str(folder / "state")},
        "kubernetes": {"kubeconfig": str(server.kubeconfig), **kubernetes},
        "registry": {"prefix": "localhost:1/previews"},
        "log": {"format": "json"},
    }


@asynccontextmanager
async def _serving(folder: Path, server: Server) -> AsyncIterator[Process]:
    (folder / "previewbot.yaml").write_text(json.dumps(_sections(folder, server)))
    command = [sys.executable, "-m", "previewbot", "serve", "--config", str(folder / "previewbot.yaml")]
    made = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=STDOUT, env={**os.environ, "NO_COLOR": "1"}
    )
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            made.send_signal(signal.SIGTERM)
        await made.communicate()


def _denies(*denied: str) -> Any:
    """A server that knows every kind and allows everything but some ``verb resource``."""

    async def rule(request: web.Request) -> Answer | None:
        if request.path == _REVIEW:
            asked = (await request.json())["spec"]["resourceAttributes"]
            allowed = f"{asked['verb']} {asked['resource']}" not in denied
            return 201, {"status": {"allowed": allowed}}
        return None

    return rule


async def _line(process: Process, part: str) -> str:
    assert process.stdout
    async with asyncio.timeout(30):
        while line := (await process.stdout.readline()).decode():
            if part in line:
                return line
    raise AssertionError("it ended before it said so")


@pytest.mark.slow
async def test_a_copy_of_the_cluster_that_nobody_keeps_any_more_ends_the_process(
    tmp_path: Path, api_server: Server
) -> None:
    """Whoever runs it starts it anew; going on would mean to decide by a copy that grows old."""

    def rule(request: web.Request) -> Answer | None:
        # No API server says so: whatever else may end a watch for good is like this.
        return (200, [{"type": "ADDED", "object": {"metadata": {}}}]) if "watch" in request.query else None

    api_server.rule = rule
    async with _serving(tmp_path, api_server) as process:
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
        assert process.returncode == 1
        assert b"KeyError" in said


@pytest.mark.slow
async def test_serving_begins_with_what_the_account_may_not_do(tmp_path: Path, api_server: Server) -> None:
    api_server.rule = _denies("delete pods", "patch deployments")
    async with _serving(tmp_path, api_server) as process:
        told = json.loads(await _line(process, "lacks"))
    assert told["level"] == "warning"
    assert told["what"].startswith("The cluster does not let previewbot's account delete pods, patch deployments.")


async def _examine(folder: Path, server: Server, **kubernetes: Any) -> dict[str, Finding]:
    found = await examine(Settings(**_sections(folder, server, **kubernetes)))
    return {each.name: each for each in found}


async def test_the_doctor_names_what_the_account_may_not_do_and_what_to_do(tmp_path: Path, api_server: Server) -> None:
    api_server.rule = _denies("delete pods", "watch endpointslices")
    found = (await _examine(tmp_path, api_server))["  permissions"]
    assert not found.ok
    assert found.detail == "the account may not: delete pods, watch endpointslices"
    assert "deploy/helm/previewbot" in found.fix


async def test_the_doctor_names_a_kind_that_the_cluster_does_not_know(tmp_path: Path, api_server: Server) -> None:
    kinds = "pods secrets namespaces serviceaccounts resourcequotas limitranges services persistentvolumeclaims"
    kinds += " deployments jobs networkpolicies endpointslices"
    known = {"resources": [{"name": each} for each in kinds.split()]}

    def rule(request: web.Request) -> Answer | None:
        if "gateway" in request.path:
            return 404, {"message": "page not found"}
        return (201, {"status": {"allowed": True}}) if request.path == _REVIEW else (200, known)

    api_server.rule = rule
    found = (await _examine(tmp_path, api_server, **_GATEWAY))["  kinds"]
    assert not found.ok
    assert "does not know HTTPRoute" in found.detail
    assert "install the CustomResourceDefinitions of the Gateway API" in found.detail
    known["resources"].append({"name": "ingresses"})
    assert (await _examine(tmp_path, api_server))["  kinds"].ok


async def test_the_doctor_reads_the_certificate_that_previews_are_to_have(tmp_path: Path, api_server: Server) -> None:
    papers = issue("*.elsewhere.test")
    (tmp_path / "tls.crt").write_text(papers.chain)
    (tmp_path / "tls.key").write_text(papers.key)
    (tmp_path / "tls.key").chmod(0o600)
    files = {"tls_certificate_file": str(tmp_path / "tls.crt"), "tls_key_file": str(tmp_path / "tls.key")}
    found = await examine(Settings(**_sections(tmp_path, api_server, **files)))
    (told,) = [each for each in found if each.name == "Certificate"]
    assert (told.ok, told.detail) == (False, "it is for *.elsewhere.test, and previews are *.localhost")
    assert told.fix.startswith("Check kubernetes.tls_certificate_file")
