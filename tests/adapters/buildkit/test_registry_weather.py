"""Whatever a registry answers, a call ends in a value, in ``Transient`` or in ``Refused``, and secrets stay here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from previewbot.adapters.buildkit.login import Login
from previewbot.adapters.buildkit.registry import Registry
from previewbot.core.errors import Refused, Transient
from tests.fakes.registry import HOST, LOGIN, FakeRegistry
from tests.fixtures.registry import digest_of, push

REPOSITORY = "previews/app-1"
DIGEST = f"sha256:{'1' * 64}"


class Robot:
    def read(self) -> Login:
        return Login(*LOGIN)


@pytest.fixture
def server() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
async def registry(server: FakeRegistry) -> AsyncIterator[Registry]:
    made = Registry(HOST, logins=Robot(), transport=server)
    yield made
    await made.aclose()


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    made = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=made, content=body if isinstance(body, bytes) else json.dumps(body).encode())


NONSENSE = [
    answer(body=b""),
    answer(body=b"<html>Log in, please</html>"),
    answer(body=b"\xff\xfe\x00"),
    answer(body=b"[" * 100_000),
    answer(body=[]),
    answer(body={"tags": "one"}),
    answer(body={"tags": [1]}),
    answer(body={"tags": ["one"]}, link='<https://elsewhere.test/v2/x>; rel="next"'),
    answer(body={"tags": ["one"]}, link='<http://[nonsense>; rel="next"'),
]
AWAY = [
    answer(500),
    answer(502, b"<html>Bad gateway</html>"),
    answer(503),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("peer closed connection"),
    httpx.DecodingError("bad gzip"),
]


@pytest.mark.parametrize("told", [*NONSENSE, *AWAY])
async def test_an_unwell_registry_is_transient(
    registry: Registry, server: FakeRegistry, told: httpx.Response | Exception
) -> None:
    server.answers["GET tags"] = told
    with pytest.raises(Transient, match=f"The registry {HOST}"):
        await registry.tags(REPOSITORY)


async def test_pages_without_end_are_nonsense(registry: Registry, server: FakeRegistry) -> None:
    server.answers["GET tags"] = answer(body={"tags": []}, link=f'</v2/{REPOSITORY}/tags/list?n=1>; rel="next"')
    with pytest.raises(Transient, match="1000 pages"):
        await registry.tags(REPOSITORY)


async def test_every_page_of_tags_is_read(registry: Registry, server: FakeRegistry) -> None:
    server.page = 2
    tags = [f"tag-{n}" for n in range(5)]
    for tag in tags:
        await push(registry, REPOSITORY, tag, {})
    assert await registry.tags(REPOSITORY) == tags


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"retry_after": "17"}, timedelta(seconds=17)), ({"retry_after": "9" * 9}, timedelta(hours=1)), ({}, None)],
)
async def test_a_rate_limit_is_waited_out_as_long_as_it_says(
    registry: Registry, server: FakeRegistry, headers: dict[str, str], wait: timedelta | None
) -> None:
    server.answers["HEAD manifests"] = answer(429, **headers)
    with pytest.raises(Transient) as caught:
        await registry.digest(REPOSITORY, "one")
    assert caught.value.retry_after == wait


@pytest.mark.parametrize("retry_after", ["soon", "-1", "9" * 5000, "1.5", ""])
async def test_a_nonsense_wait_is_none(registry: Registry, server: FakeRegistry, retry_after: str) -> None:
    server.answers["HEAD manifests"] = httpx.Response(429, headers=[("retry-after", retry_after)])
    with pytest.raises(Transient) as caught:
        await registry.digest(REPOSITORY, "one")
    assert caught.value.retry_after is None


async def test_content_that_has_not_its_digest_is_not_believed(registry: Registry, server: FakeRegistry) -> None:
    digest = await push(registry, REPOSITORY, "one", {"config": {"User": "7"}})
    config = digest_of(b'{"config": {"User": "7"}}')
    for each in (config, digest):
        kind = server.content[REPOSITORY, each][1]
        server.content[REPOSITORY, each] = (b'{"config": {"User": "0"}}', kind)
        with pytest.raises(Transient, match="has not the digest"):
            await registry.config(REPOSITORY, "one")


async def test_a_registry_that_leaves_the_digest_out_is_asked_for_the_content(
    registry: Registry, server: FakeRegistry
) -> None:
    digest = await push(registry, REPOSITORY, "one", {})
    server.answers["HEAD manifests"] = answer()
    assert await registry.digest(REPOSITORY, digest) == digest


@pytest.mark.parametrize("digest", ["", "sha256:short", "md5:1", f"sha256:{'G' * 64}"])
async def test_a_digest_that_is_none_is_nonsense(registry: Registry, server: FakeRegistry, digest: str) -> None:
    server.answers["HEAD manifests"] = answer(docker_content_digest=digest)
    with pytest.raises(Transient, match="nonsense"):
        await registry.digest(REPOSITORY, "one")


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"config": None},
        {"config": {"digest": "../../x", "size": 1}},
        {"config": {"digest": DIGEST, "size": 10**9}},
        {"config": {"digest": DIGEST}},
        {"manifests": None},
        {"manifests": []},
        {"manifests": [{}]},
        {"manifests": [{"digest": DIGEST, "platform": {"os": "windows"}}]},
        {"manifests": [{"digest": "../x", "platform": {"os": "linux"}}]},
    ],
)
async def test_a_nonsense_manifest_is_transient(
    registry: Registry, server: FakeRegistry, manifest: dict[str, Any]
) -> None:
    server.answers["GET manifests"] = answer(body=manifest)
    with pytest.raises(Transient, match="nonsense"):
        await registry.config(REPOSITORY, "one")


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": {"User": None, "Labels": ["a"]}}, {"config": []}])
async def test_an_image_that_says_nothing_of_itself_runs_as_nobody_in_particular(
    registry: Registry, config: dict[str, Any]
) -> None:
    await push(registry, REPOSITORY, "one", config)
    found = await registry.config(REPOSITORY, "one")
    assert found
    assert (found.user, found.labels) == ("", {})


async def test_a_refusal_shows_the_registrys_own_words_in_one_short_line(
    registry: Registry, server: FakeRegistry
) -> None:
    server.answers["HEAD manifests"] = answer(403)
    server.answers["POST blobs"] = answer(403, {"errors": [{"code": "DENIED", "message": f"quota\n{'x' * 900}"}]})
    with pytest.raises(
        Refused, match=r"403 to the begin of a push in `previews/app-1` \(DENIED quota x+\): previewbot's"
    ):
        await registry.check(REPOSITORY)
    with pytest.raises(Refused, match="403"):
        await registry.digest(REPOSITORY, "one")


async def test_a_registry_that_sends_elsewhere_is_refused(registry: Registry, server: FakeRegistry) -> None:
    server.answers["GET tags"] = answer(301, location="https://www.elsewhere.test/")
    with pytest.raises(Refused, match="by its own address"):
        await registry.tags(REPOSITORY)


async def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(Refused, match=r"registry\.ca_file"):
            Registry(HOST, ca_file=tmp_path / name)


async def test_a_server_that_does_not_speak_https_says_what_is_possible(registry: Registry) -> None:
    import asyncio

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        other = Registry(f"127.0.0.1:{port}")
        with pytest.raises(Transient, match=r"registry\.plain_http"):
            await other.tags(REPOSITORY)
        await other.aclose()
