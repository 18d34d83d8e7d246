"""Challenges and tokens: what is kept, what is asked for again, and to whom a login is never shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from previewbot.adapters.buildkit.access import read_challenges
from previewbot.adapters.buildkit.login import ConfigFile, Login, PasswordFile
from previewbot.adapters.buildkit.registry import Registry
from previewbot.core.errors import Refused, Transient
from tests.fakes.registry import HOST, LOGIN, FakeRegistry
from tests.fixtures.registry import push

REPOSITORY = "previews/app-1"


class Robot:
    def read(self) -> Login:
        return Login(*LOGIN)


class Desk(httpx.AsyncBaseTransport):
    """Answers by what a test says of each request."""

    def __init__(self, reply: Callable[[httpx.Request], httpx.Response]) -> None:
        self.reply = reply
        self.came: list[tuple[str, bool]] = []
        """Where each request went, and whether it told who comes."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.came.append((f"{request.url.scheme}://{request.url.host}", "authorization" in request.headers))
        return self.reply(request)


async def test_a_token_is_kept_for_its_action_and_its_repository() -> None:
    server = FakeRegistry()
    registry = Registry(HOST, logins=Robot(), transport=server)
    for _ in range(3):
        await registry.digest(REPOSITORY, "one")
        await registry.tags(REPOSITORY)
    assert server.tokens == 1
    await registry.digest("previews/app-2", "one")
    await registry.delete(REPOSITORY, f"sha256:{'1' * 64}")
    assert server.tokens == 3


async def test_a_token_that_is_not_taken_any_more_is_replaced() -> None:
    given = iter(["old", "new"])

    def reply(request: httpx.Request) -> httpx.Response:
        if request.url.host != HOST:
            return httpx.Response(200, json={"access_token": next(given), "expires_in": 900})
        fresh = request.headers.get("authorization") == ("Bearer new" if "two" in request.url.path else "Bearer old")
        return httpx.Response(404) if fresh else _challenge('Bearer realm="https://tokens.test/x"')

    registry = Registry(HOST, transport=Desk(reply))
    assert await registry.digest(REPOSITORY, "one") is None
    assert await registry.digest(REPOSITORY, "two") is None


async def test_a_token_is_not_used_up_to_its_end() -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        if request.url.host != HOST:
            return httpx.Response(200, json={"token": "short", "expires_in": 5})
        return httpx.Response(404) if "authorization" in request.headers else _challenge('Bearer realm="https://t/"')

    desk = Desk(reply)
    registry = Registry(HOST, transport=desk)
    for _ in range(2):
        await registry.digest(REPOSITORY, "one")
    assert [place for place, _ in desk.came] == [f"https://{HOST}", "https://t", f"https://{HOST}"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="no"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"token": ""}),
        httpx.Response(200, json={"token": 7}),
        httpx.Response(200, json={"token": "a\r\nX-Evil: b"}),
        httpx.Response(200, json={"token": "a", "expires_in": "soon"}),
        httpx.Response(503),
    ],
)
async def test_a_token_server_that_is_unwell_is_transient(answer: httpx.Response) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        return answer if request.url.host == "t" else _challenge('Bearer realm="https://t/"')

    with pytest.raises(Transient):
        await Registry(HOST, transport=Desk(reply)).tags(REPOSITORY)


@pytest.mark.parametrize("realm", ["", "nonsense", "ftp://t/", "https://"])
async def test_a_token_server_without_an_address_is_nonsense(realm: str) -> None:
    with pytest.raises(Transient, match="without an address"):
        await Registry(HOST, transport=Desk(lambda _: _challenge(f'Bearer realm="{realm}"'))).tags(REPOSITORY)


async def test_a_login_is_never_sent_without_encryption_where_the_registry_itself_is_encrypted() -> None:
    for realm in ("http://t/", f"http://{HOST}/"):
        desk = Desk(lambda _, realm=realm: _challenge(f'Bearer realm="{realm}"'))  # type: ignore[misc]
        with pytest.raises(Refused, match="without encryption"):
            await Registry(HOST, logins=Robot(), transport=desk).tags(REPOSITORY)
        assert desk.came == [(f"https://{HOST}", False)]


async def test_where_there_is_no_way_in_the_answer_is_the_refusal() -> None:
    for challenge in ("Negotiate", "Basic", ""):
        desk = Desk(lambda _, challenge=challenge: _challenge(challenge))  # type: ignore[misc]
        with pytest.raises(Refused, match="401"):
            await Registry(HOST, transport=desk).tags(REPOSITORY)


async def test_what_a_registry_keeps_elsewhere_is_fetched_there_without_the_login() -> None:
    server = FakeRegistry()
    registry = Registry(HOST, logins=Robot(), transport=server)
    digest = await push(registry, REPOSITORY, "one", {"config": {"User": "7"}})
    body, kind = server.content[REPOSITORY, digest]

    def reply(request: httpx.Request) -> httpx.Response:
        if request.url.host == "store.test":
            return httpx.Response(200, content=body, headers={"content-type": kind})
        if "authorization" not in request.headers:
            return _challenge("Basic")
        return httpx.Response(307, headers={"location": "https://store.test/x?signature=1"})

    desk = Desk(reply)
    with pytest.raises(Transient, match="has not the digest"):
        await Registry(HOST, logins=Robot(), transport=desk).config(REPOSITORY, f"sha256:{'1' * 64}")
    assert desk.came == [(f"https://{HOST}", False), (f"https://{HOST}", True), ("https://store.test", False)]


def test_challenges_are_read_whatever_their_spelling() -> None:
    headers = httpx.Headers(
        [
            ("WWW-Authenticate", 'bearer realm="https://t/a,b",Service = s , scope="a:b:pull,push"'),
            ("www-authenticate", "Basic"),
        ]
    )
    bearer, basic = read_challenges(headers)
    assert bearer.scheme == "bearer"
    assert bearer.parameters == {"realm": "https://t/a,b", "service": "s", "scope": "a:b:pull,push"}
    assert (basic.scheme, basic.parameters) == ("basic", {})


# --- logins -----------------------------------------------------------------------------------------------------------


def test_a_password_is_read_at_each_use_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    login = PasswordFile("robot", file)
    for password in ("one", "two"):
        file.write_text(f"{password}\n")
        found = login.read()
        assert found == Login("robot", password)
        assert password not in repr(found)


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_password_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "password").write_text(text)
    with pytest.raises(Refused, match="is empty: previewbot's operator has to mend the file `password`"):
        PasswordFile("robot", tmp_path / "password").read()


def test_what_docker_login_wrote_is_read_for_this_registry_alone(tmp_path: Path) -> None:
    auth = base64.b64encode(b"robot:a:b").decode()
    auths = {"other.test": {"auth": "x"}, f"https://{HOST}/v1/": {"auth": auth}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert ConfigFile(tmp_path / "config.json", HOST).read() == Login("robot", "a:b")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "{}", '{"auths": []}', '{"auths": {"registry.test": {}}}', '{"auths": {"registry.test": 7}}',
        '{"auths": {"registry.test": {"auth": "%"}}}', '{"auths": {"registry.test": {"auth": "/w=="}}}',
        '{"auths": {"registry.test": {"auth": "YQ=="}}}', '{"credsStore": "desktop", "auths": {"registry.test": {}}}',
    ],
)  # fmt: skip
def test_a_file_that_holds_no_login_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Refused, match=r"operator has to mend the file `config\.json`"):
        ConfigFile(tmp_path / "config.json", HOST).read()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        PasswordFile("robot", tmp_path / "no").read()


def _challenge(text: str) -> httpx.Response:
    return httpx.Response(401, headers={"www-authenticate": text})
