"""The whole registration against the simulated GitHub over real HTTP, clicked through as a browser would."""

from __future__ import annotations

import asyncio
import html
import re
import socket
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


@pytest.mark.parametrize("organization", [None, "acme"])
async def test_a_click_registers_an_app_that_works(tmp_path: Path, organization: str | None, over: Over) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        github = SimulatedGitHub(tmp_path / "github", base_url=url)
        server = Server(uvicorn.Config(over.api(github.app), log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        shown = asyncio.get_running_loop().create_future()
        order = Registration(
            "https://previewbot.test/webhook",
            tmp_path / "secrets",
            name="previewbot-acme",
            organization=organization,
            web_url=url,
            api_url=url,
        )
        registering = asyncio.create_task(register(order, read_manifest(), announce=shown.set_result))
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
            ours = (await browser.get(await shown)).text
            theirs = await browser.post(action(ours), data=form(ours))
            assert "Create GitHub App" in theirs.text
            done = await browser.post(f"{url}{action(theirs.text)}", data=form(theirs.text))
        made = await registering
        assert done.status_code == 200
        key, secret = tmp_path / "secrets" / "private-key.pem", tmp_path / "secrets" / "webhook-secret"
        assert [each.stat().st_mode & 0o777 for each in (key, secret)] == [0o600, 0o600]
        assert secret.read_text().strip() == github.state.app.secret
        assert github.state.app.hook_url == "https://previewbot.test/webhook"
        assert github.state.app.permissions == read_manifest()["default_permissions"]
        hub = GitHubHub(AppCredentials(made.app_id, key.read_text(), url), clock=SystemClock())
        assert (await hub.describe()).slug == "previewbot-acme"
        await hub.aclose()
        await github.hooks.aclose()
        server.should_exit = True
        await serving
