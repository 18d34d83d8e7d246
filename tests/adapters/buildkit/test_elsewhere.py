"""Looking at the images of others: where they are, that nothing of ours goes there, and what a failure costs."""

from __future__ import annotations

import httpx
import pytest

from previewbot.adapters.buildkit import Elsewhere, Registry
from previewbot.adapters.buildkit.elsewhere import Place, read_place
from tests.adapters.buildkit.test_stock import Robot
from tests.fakes.registry import HOST, FakeRegistry
from tests.fixtures.registry import push

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("redis:7", Place("registry-1.docker.io", "library/redis", "7")),
        ("redis", Place("registry-1.docker.io", "library/redis", "latest")),
        ("docker.io/redis:7", Place("registry-1.docker.io", "library/redis", "7")),
        ("grafana/grafana:11.2", Place("registry-1.docker.io", "grafana/grafana", "11.2")),
        ("ghcr.io/acme/tools/proxy:v1", Place("ghcr.io", "acme/tools/proxy", "v1")),
        ("localhost:5000/x", Place("localhost:5000", "x", "latest")),
        (f"ghcr.io/acme/x:v1@{DIGEST}", Place("ghcr.io", "acme/x", DIGEST)),
        ("../etc", None),
        ("ghcr.io/x?y", None),
        ("x@sha256:1", None),
        ("", None),
    ],
)
def test_a_name_is_read_as_every_engine_does(image: str, place: Place | None) -> None:
    assert read_place(image) == place


class Abroad:
    """A registry in memory that lets strangers read, and who was asked."""

    def __init__(self) -> None:
        self.server = FakeRegistry(public=True)
        self.asked: list[str] = []
        self.elsewhere = Elsewhere("10.0.0.1:5000", self._open)

    def _open(self, host: str) -> Registry:
        self.asked.append(host)
        return Registry(host, transport=self.server)

    async def put(self, user: str) -> None:
        registry = Registry(HOST, logins=Robot(), transport=self.server)
        await push(registry, "acme/tool", "1", {"config": {"User": user}})
        await registry.aclose()
        self.server.requests.clear()


async def test_the_user_of_an_image_is_read_once_and_without_a_login() -> None:
    abroad = Abroad()
    await abroad.put("472:0")
    for _ in range(2):
        assert await abroad.elsewhere.user_of(f"{HOST}/acme/tool:1") == "472:0"
    assert abroad.asked == [HOST]
    assert not any("Basic" in each.headers.get("authorization", "") for each in abroad.server.requests)


async def test_what_cannot_be_read_is_unknown_and_asked_again() -> None:
    abroad = Abroad()
    await abroad.put("472")
    abroad.server.answers["GET manifests"] = httpx.Response(503)
    assert await abroad.elsewhere.user_of(f"{HOST}/acme/tool:1") is None
    abroad.server.answers["GET manifests"] = httpx.ConnectError("no route")
    assert await abroad.elsewhere.user_of(f"{HOST}/acme/tool:1") is None
    del abroad.server.answers["GET manifests"]
    assert await abroad.elsewhere.user_of(f"{HOST}/acme/other:1") is None
    assert await abroad.elsewhere.user_of(f"{HOST}/acme/tool:1") == "472"


@pytest.mark.parametrize(
    "image", ["127.0.0.1:8000/x", "169.254.169.254/x", "localhost:5000/x", "vault:8200/x", "db.internal/x", "a.svc:1/x"]
)
async def test_a_commit_cannot_have_previewbot_ask_inside_the_operators_network(image: str) -> None:
    abroad = Abroad()
    assert await abroad.elsewhere.user_of(image) is None
    assert abroad.asked == []
    await abroad.elsewhere.user_of("10.0.0.1:5000/x:1")
    assert abroad.asked == ["10.0.0.1:5000"]
