"""The whole registration against the simulated GitHub over real HTTP, clicked through as a browser would."""

from __future__ import annotations

import asyncio
import html
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import SystemClock
from previewbot.cli.manifest import read_manifest
from previewbot.cli.setup import Registration, register
from previewbot.demo.github import SimulatedGitHub
from tests.fixtures.github import Over


class Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        pass


def form(page: str) -> dict[str, str]:
    """The fields of a page's form, as a browser fills them in."""
    fields = {}
    for tag in re.findall(r"<input[^>]*>", page):
        found = dict(re.findall(r"""(\w+)=["']([^"']*)["']""", tag))
        if "name" in found:
            fields[found["name"]] = html.unescape(found.get("value", ""))
    return fields


def action(page: str) -> str:
    found = re.search(r'action="([^"]+)"', page)
    assert found
    return html.unescape(found[1])


@asynccontextmanager
async def served(folder: Path, over: Over) -> AsyncIterator[SimulatedGitHub]:
    """The simulated GitHub at a real address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        github = SimulatedGitHub(folder / "github", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = Server(uvicorn.Config(over.api(github.app), log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield github
        finally:
            await github.hooks.aclose()
            server.should_exit = True
            await serving


async def click(page: str, github: SimulatedGitHub) -> httpx.Response:
    """Press the button of our page, and then that of GitHub's; returns where the browser ends."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        ours = (await browser.get(page)).text
        theirs = await browser.post(action(ours), data=form(ours))
        assert "Create GitHub App" in theirs.text
        return await browser.post(f"{github.base_url}{action(theirs.text)}", data=form(theirs.text))


@pytest.mark.parametrize("organization", [None, "acme"])
async def test_a_click_registers_an_app_that_works(tmp_path: Path, organization: str | None, over: Over) -> None:
    async with served(tmp_path, over) as github:
        shown = asyncio.get_running_loop().create_future()
        order = Registration(
            "https://previewbot.test/webhook",
            tmp_path / "secrets",
            name="previewbot-acme",
            organization=organization,
            web_url=github.base_url,
            api_url=github.base_url,
        )
        registering = asyncio.create_task(register(order, read_manifest(), announce=shown.set_result))
        done = await click(await shown, github)
        made = await registering
        assert done.status_code == 200
        key, secret = tmp_path / "secrets" / "private-key.pem", tmp_path / "secrets" / "webhook-secret"
        assert [each.stat().st_mode & 0o777 for each in (key, secret)] == [0o600, 0o600]
        assert secret.read_text().strip() == github.state.app.secret
        assert github.state.app.hook_url == "https://previewbot.test/webhook"
        assert github.state.app.permissions == read_manifest()["default_permissions"]
        hub = GitHubHub(AppCredentials(made.app_id, key.read_text(), github.base_url), clock=SystemClock())
        assert (await hub.describe()).slug == "previewbot-acme"
        await hub.aclose()


@asynccontextmanager
async def typed(folder: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``previewbot setup`` as a person types it in a folder."""
    process = await asyncio.create_subprocess_exec(
        # A shell lets what it starts in the background ignore Ctrl-C, and all that is started from there.
        *("env", "--default-signal=INT"),
        *(sys.executable, "-m", "previewbot", "setup", "--url", "https://previewbot.test/", *options),
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def announced(process: asyncio.subprocess.Process) -> str:
    """The address of the page, once the command says it."""
    assert process.stderr
    line = (await process.stderr.readline()).decode()
    found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/) in your browser and press the button\. .*\n", line)
    assert found, line
    return found[1]


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, list[str]]:
    """Its exit code, what it printed, and the lines in which it complained."""
    printed, complaint = await process.communicate()
    return process.returncode, printed.decode(), complaint.decode().splitlines()


async def test_the_command_registers_writes_for_its_owner_alone_and_says_what_comes_next(
    tmp_path: Path, over: Over
) -> None:
    async with served(tmp_path, over) as github:
        options = ("--github", github.base_url, "--org", "acme", "--name", "previewbot-acme", "--folder", "mine")
        async with typed(tmp_path, *options) as setup:
            done = await click(await announced(setup), github)
            code, printed, complaint = await ended(setup)
        app = github.state.app
        assert "Registered" in done.text
        assert (code, complaint) == (0, [])
        assert printed.splitlines() == [
            f"Registered previewbot-acme (id {app.id}).",
            "  wrote mine/app-id",
            "  wrote mine/private-key.pem",
            "  wrote mine/webhook-secret",
            "Next:",
            f"  1. Set github.app_id: {app.id} and the two files in config/previewbot.yaml.",
            f"  2. Install the App on your repositories: {github.base_url}/apps/previewbot-acme/installations/new",
            "  3. previewbot doctor, then previewbot serve.",
        ]
        assert app.hook_url == "https://previewbot.test/webhook"
        assert app.secret not in printed
        files = {each.name: (each.stat().st_mode & 0o777, each.read_text()) for each in (tmp_path / "mine").iterdir()}
        assert files == {
            "app-id": (0o600, f"{app.id}\n"),
            "private-key.pem": (0o600, app.pem),
            "webhook-secret": (0o600, f"{app.secret}\n"),
        }
        assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
async def test_the_command_overwrites_an_earlier_setup_only_when_it_is_forced(tmp_path: Path, over: Over) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets/webhook-secret").write_text("precious")
    async with served(tmp_path, over) as github:
        async with typed(tmp_path, "--github", github.base_url) as setup:
            code, printed, complaint = await ended(setup)
        assert (code, printed, len(complaint)) == (1, "", 3)
        assert "secrets already holds webhook-secret" in complaint[1]
        assert "--force" in complaint[1]
        assert (tmp_path / "secrets/webhook-secret").read_text() == "precious"
        async with typed(tmp_path, "--github", github.base_url, "--force") as setup:
            await click(await announced(setup), github)
            assert (await ended(setup))[0] == 0
        assert (tmp_path / "secrets/webhook-secret").read_text().strip() == github.state.app.secret


@pytest.mark.slow
async def test_the_page_is_at_the_port_that_was_asked_for_or_the_command_says_why_not(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with typed(tmp_path, "--port", str(port)) as setup:
            code, printed, complaint = await ended(setup)
        assert (code, printed, len(complaint)) == (1, "", 3)
        assert f"Port {port} cannot be used: Address already in use." in complaint[1]
    async with typed(tmp_path, "--port", str(port)) as setup:
        assert await announced(setup) == f"http://127.0.0.1:{port}/"


async def test_a_command_that_is_stopped_registers_nothing_and_says_so(tmp_path: Path) -> None:
    async with typed(tmp_path) as setup:
        await announced(setup)
        setup.send_signal(signal.SIGINT)
        code, printed, complaint = await ended(setup)
    assert (code, printed) == (1, "")
    assert complaint[0] == "The App was not registered."
    assert len(complaint) == 3
    assert list((tmp_path / "secrets").iterdir()) == []
