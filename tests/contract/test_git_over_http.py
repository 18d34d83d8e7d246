"""Git over a real socket, as the real client opens it: the right token gets its code, and nothing else gets any."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from previewbot.adapters.git import GitSource
from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import SystemClock
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Repository
from previewbot.demo.github import SimulatedGitHub
from previewbot.demo.github.faults import Kind
from previewbot.demo.github.state import Token
from previewbot.ports import Credential
from tests.fixtures.github import Over, told_to_git


@dataclass
class Street:
    """A simulated GitHub at a real address, and what it saw of the processes that ran while it was asked."""

    github: SimulatedGitHub
    hub: GitHubHub
    folder: Path
    ahead: timedelta = timedelta(0)
    commands: set[bytes] = field(default_factory=set)

    async def repository(self, full_name: str = "acme/shop") -> Repository:
        found = self.github.state.find(full_name)
        assert found
        repository = await self.hub.repository(found.id)
        assert repository
        return repository

    def head(self, full_name: str = "acme/shop") -> str:
        found = self.github.state.find(full_name)
        assert found
        return (self.github.folder(found) / "refs/heads/main").read_text().strip()

    def source(self, credential: Callable[[Repository], Awaitable[Credential]]) -> GitSource:
        return GitSource(self.folder, credential)

    def opened_by(self, text: str) -> GitSource:
        """A source that has this token and no other."""

        async def credential(_: Repository) -> Credential:
            return Credential(text)

        return self.source(credential)

    def token(self, owner: str, **limits: object) -> Token:
        """A token that GitHub gave out, and what it is good for."""
        installation = self.github.state.installations[owner]
        expires_at = self.github.state.now() + timedelta(hours=1)
        made = Token(installation, expires_at, dict(self.github.state.app.permissions))
        for name, limit in limits.items():
            setattr(made, name, limit)
        self.github.state.tokens[made.text] = made
        return made

    async def watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the arguments of every process of this machine, then answer."""
        self.commands |= await asyncio.to_thread(_commands)
        await self.github.app(scope, receive, send)


def _commands() -> set[bytes]:
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(each.read_bytes())
        except OSError:
            continue
    return found


class Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        pass


@pytest.fixture
async def street(tmp_path: Path, over: Over) -> AsyncIterator[Street]:
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        github = SimulatedGitHub(tmp_path / "github", base_url=url, clock=lambda: datetime.now(UTC) + made.ahead)
        app = github.state.app
        hub = GitHubHub(AppCredentials(app.id, app.pem, url), clock=SystemClock())
        made = Street(github, hub, tmp_path / "mirrors")
        server = Server(uvicorn.Config(over.api(made.watched), log_config=None, lifespan="off", interface="asgi3"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        for name in ("acme/shop", "acme/secret", "other/thing"):
            await github.create_repository(name, {"Dockerfile": f"FROM {name}\n"})
        yield made
        await hub.aclose()
        await github.hooks.aclose()
        server.should_exit = True
        await serving


async def test_the_clients_own_token_opens_each_repository_where_it_is_installed(street: Street) -> None:
    source = street.source(street.hub.credential)
    for name in ("acme/shop", "acme/secret", "other/thing"):
        async with source.checkout(await street.repository(name), street.head(name)) as folder:
            assert (folder / "Dockerfile").read_text() == f"FROM {name}\n"


async def test_no_token_is_in_the_arguments_of_a_process_in_an_address_or_in_the_mirror(street: Street) -> None:
    source = street.source(street.hub.credential)
    async with source.checkout(await street.repository(), street.head()):
        pass
    assert any(b"fetch" in each and b"acme/shop.git" in each for each in street.commands), "the fetch was not seen"
    kept = [each.read_bytes() for each in street.folder.rglob("*") if each.is_file()]
    asked = [path.encode() for _, path in street.github.requests]
    assert kept
    assert street.github.state.tokens
    for text in street.github.state.tokens:
        for secret in (text.encode(), base64.b64encode(f"x-access-token:{text}".encode())):
            assert not [each for each in (*street.commands, *kept, *asked) if secret in each]


REFUSED: dict[str, tuple[Callable[[Street], str], type[Exception]]] = {
    "none": (lambda _: "", Transient),
    "made up": (lambda _: "ghs_" + "x" * 36, Transient),
    "expired": (lambda it: it.token("acme", expires_at=it.github.state.now()).text, Transient),
    "another owner's": (lambda it: it.token("other").text, Refused),
    "for another repository": (lambda it: it.token("acme", repositories=frozenset({1})).text, Refused),
    "for no code": (lambda it: it.token("acme", permissions={"metadata": "read"}).text, Refused),
}
"""Tokens that open nothing here, and what the engine hears: that it was GitHub's day, or that a person must act."""


@pytest.mark.parametrize("which", REFUSED)
async def test_no_other_token_opens_it(street: Street, which: str) -> None:
    make, error = REFUSED[which]
    repository, token = await street.repository(), make(street)
    with pytest.raises(error) as caught:
        await street.opened_by(token).fetch(repository, street.head())
    assert not token or token not in str(caught.value)
    await street.opened_by(street.token("acme").text).fetch(repository, street.head())


async def test_a_token_that_was_good_is_not_once_its_hour_is_over(street: Street) -> None:
    repository, source = await street.repository(), street.opened_by(street.token("acme").text)
    street.ahead = timedelta(hours=1, seconds=1)
    with pytest.raises(Transient):
        await source.fetch(repository, street.head())


async def test_nothing_is_open_to_strangers_and_nobody_can_push(street: Street) -> None:
    url = f"{street.github.base_url}/acme/shop.git"
    assert await git("ls-remote", url)
    known = told_to_git(url, street.token("acme").text)
    assert await git("ls-remote", url, **known) == 0
    folder = street.github.folder(next(iter(street.github.state.repositories.values())))
    assert await git(f"--git-dir={folder}", "push", url, "main:refs/heads/new", **known)


async def git(*arguments: str, **variables: str) -> int:
    environment = {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, env=environment | {"HOME": os.devnull} | variables, stdout=silent, stderr=silent
    )
    return await process.wait()


async def test_a_rename_leaves_what_was_known_before_of_use(street: Street) -> None:
    """The engine looks again before it fetches: an old address is no way in for a token, and the new one is found."""
    before, source = await street.repository(), street.source(street.hub.credential)
    hosted = street.github.state.find("acme/shop")
    assert hosted
    pull = await street.github.open_pull(hosted, author="alice", title="x", files={"a": "1"})
    street.github.rename(hosted, "acme/store")
    with pytest.raises(Transient):
        await source.fetch(before, pull.sha)
    found = await street.hub.pull(before, pull.number)
    assert found
    async with source.checkout(found.repository, pull.sha) as folder:
        assert (folder / "a").read_text() == "1"


@pytest.mark.parametrize("kind", ["drop", "cut"])
async def test_a_lost_connection_is_asked_again_where_nothing_was_done(street: Street, kind: Kind) -> None:
    street.github.faults.add("GET", "/app", kind)
    assert (await street.hub.describe()).slug == "previewbot"
    street.github.faults.add("GET", "/app", kind, times=3)
    with pytest.raises(Transient, match="could not be reached"):
        await street.hub.describe()
