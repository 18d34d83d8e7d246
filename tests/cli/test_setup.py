"""Registering the App: what a browser does on our page and on GitHub's, over real HTTP, ends in three private files."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from previewbot.cli.manifest import SetupFailed, read_manifest
from previewbot.cli.setup import Registered, Registration, api_of, register

HOOK = "https://previewbot.example.com/webhook"
APP = {
    "id": 31,
    "slug": "previewbot-acme",
    "html_url": "https://github.test/apps/previewbot-acme",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n",
    "webhook_secret": "hush",
}

Answer = Callable[[Request], Response]


class Form(HTMLParser):
    """Reads the one form of a page, as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = found["action"]
        elif tag == "input":
            self.fields[found["name"]] = found["value"]


class Github:
    """Only the exchange of codes: its answers are what a test writes down, the last one again and again."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.codes: list[str] = []
        self.url = ""

    def convert(self, request: Request) -> Response:
        self.codes.append(request.path_params["code"])
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def served(github: Github) -> AsyncIterator[Github]:
    app = Starlette(routes=[Route("/api/v3/app-manifests/{code}/conversions", github.convert, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    github.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield github
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def begun(order: Registration) -> AsyncIterator[tuple[str, httpx.AsyncClient, asyncio.Task[Registered]]]:
    """Our page is up: its address, a browser, and the registration that waits."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(register(order, read_manifest(), announce=address.set_result))
    async with httpx.AsyncClient() as browser:
        while not address.done() and not task.done():
            await asyncio.sleep(0.01)
        if task.done():
            task.result()
        try:
            yield await address, browser, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def order(github: Github, folder: Path, **other: Any) -> Registration:
    return Registration(HOOK, folder / "app", web_url=github.url, **other)


def back(page: str, form: Form, **other: str) -> str:
    state = parse_qs(urlsplit(form.action).query)["state"][0]
    return str(httpx.URL(f"{page}callback", params={"code": "c0de", "state": state} | other))


async def opened(page: str, browser: httpx.AsyncClient) -> Form:
    return Form((await browser.get(page)).text)


@pytest.mark.parametrize(
    ("organization", "path"), [(None, "/settings/apps/new"), ("a/b", "/organizations/a%2Fb/settings/apps/new")]
)
async def test_the_page_posts_the_manifest_to_its_owner(organization: str | None, path: str, tmp_path: Path) -> None:
    wish = Registration(HOOK, tmp_path / "app", organization=organization, name='p"<b>')
    async with begun(wish) as (page, browser, _):
        form = await opened(page, browser)
    assert urlsplit(form.action)._replace(query="").geturl() == f"https://github.com{path}"
    sent = json.loads(form.fields["manifest"])
    assert sent["hook_attributes"]["url"] == HOOK
    assert sent["redirect_url"] == f"{page}callback"
    assert sent["name"] == 'p"<b>'
    assert sent["default_permissions"] == read_manifest()["default_permissions"]


async def test_what_github_gives_is_kept_for_the_owner_alone(tmp_path: Path) -> None:
    async with (
        served(Github(JSONResponse(APP, 201))) as github,
        begun(order(github, tmp_path)) as (page, browser, task),
    ):
        answer = await browser.get(back(page, await opened(page, browser)))
        registered = await task
    assert answer.status_code == 200
    assert "hunter2" not in answer.text
    assert "hush" not in answer.text
    assert registered.install_url == "https://github.test/apps/previewbot-acme/installations/new"
    assert registered.app_id == 31
    kept = {path.name: path.read_text() for path in registered.files}
    assert kept == {"app-id": "31\n", "private-key.pem": APP["pem"], "webhook-secret": "hush\n"}
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "app", *registered.files)]
    assert modes == [0o700, 0o600, 0o600, 0o600]
    assert sorted(path.name for path in (tmp_path / "app").iterdir()) == sorted(kept)


@pytest.mark.parametrize("state", ["", "wrong", "ü", "x" * 10_000])
async def test_a_callback_that_we_did_not_ask_for_changes_nothing(state: str, tmp_path: Path) -> None:
    async with (
        served(Github(JSONResponse(APP, 201))) as github,
        begun(order(github, tmp_path)) as (page, browser, task),
    ):
        form = await opened(page, browser)
        assert (await browser.get(back(page, form, state=state))).status_code == 403
        assert not github.codes
        assert (await browser.get(back(page, form))).status_code == 200
        await task


@pytest.mark.parametrize("code", ["", "../../user", "a b", "ü", "x" * 201])
async def test_a_code_that_is_none_is_never_sent_to_github(code: str, tmp_path: Path) -> None:
    async with served(Github(JSONResponse(APP, 201))) as github, begun(order(github, tmp_path)) as (page, browser, _):
        answer = await browser.get(back(page, await opened(page, browser), code=code))
        assert answer.status_code == 400
        assert not github.codes


async def test_a_page_of_another_name_on_this_machine_is_not_served(tmp_path: Path) -> None:
    async with begun(Registration(HOOK, tmp_path / "app")) as (page, browser, _):
        answer = await browser.get(page, headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "state=" not in answer.text


async def test_an_old_code_ends_the_setup_with_what_to_do(tmp_path: Path) -> None:
    used = JSONResponse({"message": "Not Found"}, 404)
    async with served(Github(used)) as github, begun(order(github, tmp_path)) as (page, browser, task):
        answer = await browser.get(back(page, await opened(page, browser)))
        assert "Run the setup again" in answer.text
        with pytest.raises(SetupFailed, match="old or used"):
            await task


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"id": "31", "slug": "x", "pem": "y"}'])
async def test_an_answer_that_is_no_app_says_what_to_do(body: str, tmp_path: Path) -> None:
    async with served(Github(Response(body, 201))) as github, begun(order(github, tmp_path)) as (page, browser, task):
        await browser.get(back(page, await opened(page, browser)))
        with pytest.raises(SetupFailed, match="Delete it"):
            await task


async def test_an_unwell_github_is_asked_again_when_the_page_is_loaded_again(tmp_path: Path) -> None:
    unwell = Response("<html>", 502)
    async with (
        served(Github(unwell, JSONResponse(APP, 201))) as github,
        begun(order(github, tmp_path)) as (page, browser, task),
    ):
        link = back(page, await opened(page, browser))
        assert "Load this page again" in (await browser.get(link)).text
        assert (await browser.get(link)).status_code == 200
        assert (await task).app_id == 31


async def test_a_missing_webhook_secret_keeps_the_key_and_says_what_to_do(tmp_path: Path) -> None:
    without = JSONResponse(APP | {"webhook_secret": None}, 201)
    async with served(Github(without)) as github, begun(order(github, tmp_path)) as (page, browser, task):
        await browser.get(back(page, await opened(page, browser)))
        with pytest.raises(SetupFailed, match="made no webhook secret"):
            await task
    assert (tmp_path / "app/private-key.pem").read_text() == APP["pem"]


async def test_files_of_an_earlier_setup_are_kept_unless_forced(tmp_path: Path) -> None:
    async with served(Github(JSONResponse(APP, 201))) as github:
        folder = tmp_path / "app"
        folder.mkdir(mode=0o700)
        (folder / "private-key.pem").write_text("precious")
        with pytest.raises(SetupFailed, match=r"already holds private-key\.pem"):
            async with begun(order(github, tmp_path)):
                raise AssertionError("the page must not come up")
        assert (folder / "private-key.pem").read_text() == "precious"
        async with begun(order(github, tmp_path, force=True)) as (page, browser, task):
            await browser.get(back(page, await opened(page, browser)))
            await task
        assert (folder / "private-key.pem").read_text() == APP["pem"]
        assert stat.S_IMODE((folder / "private-key.pem").stat().st_mode) == 0o600


async def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    async with (
        served(Github(JSONResponse(APP, 201))) as github,
        begun(order(github, tmp_path)) as (page, browser, task),
    ):
        form = await opened(page, browser)
        (tmp_path / "app/app-id").write_text("precious")
        await browser.get(back(page, form))
        with pytest.raises(SetupFailed, match="Delete the App at https"):
            await task
    assert (tmp_path / "app/app-id").read_text() == "precious"


async def test_a_folder_that_others_can_look_into_is_refused_before_anything_is_registered(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app").chmod(0o755)
    with pytest.raises(SetupFailed, match="chmod 700"):
        async with begun(Registration(HOOK, tmp_path / "app")):
            raise AssertionError("the page must not come up")


@pytest.mark.parametrize("wrong", [{"hook_url": "previewbot.example.com"}, {"web_url": "javascript:alert(1)"}])
async def test_an_address_that_is_none_is_refused(wrong: dict[str, str], tmp_path: Path) -> None:
    given: dict[str, Any] = {"hook_url": HOOK, "folder": tmp_path / "app"} | wrong
    with pytest.raises(SetupFailed, match="is not an address"):
        await register(Registration(**given), read_manifest(), announce=print)


async def test_a_person_who_never_comes_back_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    wish = Registration(HOOK, tmp_path / "app")
    with pytest.raises(SetupFailed, match="in time"):
        await register(wish, read_manifest(), announce=print, patience=timedelta(milliseconds=50))


@pytest.mark.parametrize(
    ("web", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://git.acme.test/", "https://git.acme.test/api/v3"),
    ],
)
def test_the_api_is_found_from_the_address_of_a_github(web: str, api: str) -> None:
    assert api_of(web) == api


def test_a_manifest_that_is_missing_or_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match=r"nowhere\.yml is not there"):
        read_manifest(tmp_path / "nowhere.yml")
    (tmp_path / "list.yml").write_text("- a\n")
    with pytest.raises(SetupFailed, match="is not an App manifest"):
        read_manifest(tmp_path / "list.yml")
