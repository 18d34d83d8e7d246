"""The pages: true about previews, open to nobody who should not see them, and harmless whatever a build prints."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, Reason, Record, ReleaseRecord, ReleaseState, State, Status
from previewbot.ports import Store
from previewbot.web.app import create_app
from previewbot.wire.sentences import SENTENCES
from tests.stories.town import Kind, Weather
from tests.web.server import serving, site_of

NOW = datetime(2031, 5, 4, 12, 0, 0, tzinfo=UTC)
KEY = Key(7, 42)
HOST = "pr-42-shop.preview.test"
NAME = "n" * 32
TOKEN = b"operators only"
BUILD = BuildRecord("image", KEY, "web", "c0ffee0" + "0" * 33, NAME, BuildState.RUNNING, NOW)


def client_of(
    store: Store, folder: Path, *, address: str = "127.0.0.1", token: bytes | None = None
) -> httpx.AsyncClient:
    app = create_app(site_of(store, folder, token=token))
    transport = httpx.ASGITransport(app, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.fixture
async def local(store: Store, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(store, tmp_path) as client:
        yield client


async def remember(store: Store, state: State, reason: Reason, detail: str | None = None) -> None:
    status = Status(state, reason, NOW, commit="c0ffee0" + "0" * 33, detail=detail, log=NAME)
    await store.save(Record(KEY, repository_name="acme/shop", status=status, created_at=NOW))
    await store.claim(KEY, [HOST])


def log_of(folder: Path) -> Path:
    return folder / f"{NAME}.log"


# --- what a visitor of a preview sees -------------------------------------------------------------------------------


async def ask(client: httpx.AsyncClient, host: str, **more: str) -> httpx.Response:
    return await client.get("/front-door", headers={"X-Previewbot-Host": host, **more})


@pytest.mark.parametrize(
    ("seen", "code", "said"),
    [
        ((State.BUILDING, Reason.IMAGES_BUILDING), 503, "Building this preview"),
        ((State.STARTING, Reason.RELEASE_STARTING), 503, "Starting this preview"),
        ((State.READY, Reason.SERVING), 503, "not answering yet"),
        ((State.FAILED, Reason.BUILD_FAILED), 503, "The build failed"),
        ((State.SKIPPED, Reason.FORK), 410, "It comes from a fork"),
        ((State.REMOVING, Reason.TEARING_DOWN), 410, "It is being removed"),
        ((State.GONE, Reason.MERGED), 410, "The pull request was merged"),
    ],
)
async def test_a_host_without_an_app_says_why(
    local: httpx.AsyncClient, store: Store, *, seen: tuple[State, Reason], code: int, said: str
) -> None:
    state, reason = seen
    await remember(store, state, reason)
    answer = await ask(local, HOST)
    assert (answer.status_code, said in answer.text) == (code, True)
    assert ("Retry-After" in answer.headers) == (code == 503)
    assert ('http-equiv="refresh"' in answer.text) == (state in (State.BUILDING, State.STARTING, State.READY))
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_case_of_a_host_does_not_matter(local: httpx.AsyncClient, store: Store) -> None:
    await remember(store, State.BUILDING, Reason.IMAGES_BUILDING)
    assert (await ask(local, HOST.upper() + ":8080")).status_code == 503


async def test_an_unknown_host_is_told_so(local: httpx.AsyncClient) -> None:
    answer = await ask(local, "<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "No preview lives here" in answer.text
    assert "<script" not in answer.text


async def test_a_host_that_lives_is_passed_on_unless_it_just_failed(local: httpx.AsyncClient) -> None:
    told = (await ask(local, "app.test")).headers
    assert (told["X-Previewbot-Upstream"], told["X-Previewbot-Other"]) == ("127.0.0.1:9", "127.0.0.1:10")
    assert (await ask(local, "app.test", **{"X-Previewbot-Down": "1"})).status_code == 404


async def test_the_public_page_never_shows_the_name_of_a_log(local: httpx.AsyncClient, store: Store) -> None:
    """A log's name is its only protection, and a preview's host can be guessed."""
    await remember(store, State.FAILED, Reason.BUILD_FAILED)
    assert NAME not in (await ask(local, HOST)).text


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/webhook", f"/environments/{KEY}", f"/logs/{NAME}", "/static/log.js"]
)
async def test_nothing_else_is_reached_through_a_previews_host(local: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await local.request(method, path, headers={"X-Previewbot-Host": HOST})
        assert (answer.status_code, answer.text) == (404, "There is nothing here.")


# --- logs -----------------------------------------------------------------------------------------------------------


async def test_a_log_is_shown_without_colours_and_without_harm(
    local: httpx.AsyncClient, store: Store, tmp_path: Path
) -> None:
    await store.save_build(replace(BUILD, state=BuildState.SUCCEEDED, finished_at=NOW + timedelta(seconds=6)))
    log_of(tmp_path).write_bytes(b"\x1b[31mred\x1b[0m <script>alert(1)</script> \xff\x00\n")
    answer = await local.get(f"/logs/{NAME}")
    assert "red &lt;script&gt;alert(1)&lt;/script&gt; \ufffd" in answer.text
    assert "took 6.0 s" in answer.text
    assert "data-live" not in answer.text


async def test_what_a_hook_said_is_shown_though_it_is_no_build(local: httpx.AsyncClient, tmp_path: Path) -> None:
    log_of(tmp_path).write_text("--- hook.release\n<b>42</b> migrations\n")
    answer = await local.get(f"/logs/{NAME}")
    assert "&lt;b&gt;42&lt;/b&gt; migrations" in answer.text
    assert "Output" in answer.text
    assert "data-live" not in answer.text
    assert (await local.get(f"/logs/{NAME}/raw")).text.endswith("migrations\n")
    assert (await local.get(f"/logs/{NAME[:-1]}x")).status_code == 404


async def test_of_a_long_log_the_end_is_shown(local: httpx.AsyncClient, store: Store, tmp_path: Path) -> None:
    await store.save_build(replace(BUILD, state=BuildState.FAILED, finished_at=NOW))
    log_of(tmp_path).write_text("the beginning\n" + "x" * 99 + "\n" * 1 + ("y" * 99 + "\n") * 12_000 + "the reason\n")
    page = (await local.get(f"/logs/{NAME}")).text
    assert "the reason" in page
    assert "the beginning" not in page
    assert "Only the end" in page
    raw = await local.get(f"/logs/{NAME}/raw")
    assert raw.text.startswith("the beginning")
    assert raw.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["short", "../../etc/passwd", "x" * 65, "n" * 31 + "%2e", "a" * 32])
@pytest.mark.parametrize("part", ["", "/raw", "/stream"])
async def test_other_names_lead_nowhere(local: httpx.AsyncClient, name: str, part: str) -> None:
    assert (await local.get(f"/logs/{name}{part}")).status_code == 404


@pytest.mark.parametrize("start", ["", "x", "-1", "\xb2", "9" * 30])
async def test_an_odd_place_to_start_from_is_the_beginning(
    local: httpx.AsyncClient, store: Store, tmp_path: Path, start: str
) -> None:
    await store.save_build(replace(BUILD, state=BuildState.FAILED, finished_at=NOW))
    log_of(tmp_path).write_text("all\n")
    answer = await local.get(f"/logs/{NAME}/stream", params={"from": start})
    assert answer.status_code == 200
    assert "data: all" in answer.text


async def test_a_reader_that_comes_back_goes_on_where_it_was(
    local: httpx.AsyncClient, store: Store, tmp_path: Path
) -> None:
    await store.save_build(replace(BUILD, state=BuildState.FAILED, finished_at=NOW))
    log_of(tmp_path).write_text("seen\nnew\n")
    answer = await local.get(f"/logs/{NAME}/stream", params={"from": "0"}, headers={"Last-Event-ID": "5"})
    assert "seen" not in answer.text
    assert "data: new" in answer.text
    assert "id: 9" in answer.text
    assert "event: end" in answer.text


async def test_a_log_is_followed_in_whole_letters_until_its_build_is_over(store: Store, tmp_path: Path) -> None:
    await store.save_build(BUILD)
    said = "Größe 😀\n".encode()
    log_of(tmp_path).write_bytes(said[:3])
    got: list[str] = []

    async def read(port: int) -> None:
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
            client.stream("GET", f"/logs/{NAME}/stream?from=0") as answer,
        ):
            async for line in answer.aiter_lines():
                got.append(line)  # noqa: PERF401 - seen while it grows

    async with serving(site_of(store, tmp_path)) as served:
        reading = asyncio.create_task(read(served.port))
        await asyncio.sleep(0.5)
        assert not any(line.startswith("data") for line in got)
        log_of(tmp_path).write_bytes(said + b"no end")
        async with asyncio.timeout(5):
            while "data: Größe 😀" not in got:
                await asyncio.sleep(0.05)
        await store.save_build(replace(BUILD, state=BuildState.SUCCEEDED, finished_at=NOW))
        await asyncio.wait_for(reading, 5)
    assert "data: no end" in got
    assert got.index("data: no end") < got.index("event: end")


async def test_followers_are_let_go_when_the_server_ends(store: Store, tmp_path: Path) -> None:
    """They are not told that the build is over: their browsers come back to the next server."""
    await store.save_build(BUILD)
    site = site_of(store, tmp_path)
    async with (
        serving(site) as served,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as client,
        client.stream("GET", f"/logs/{NAME}/stream") as answer,
    ):
        site.pages.closing.set()
        async with asyncio.timeout(1):
            text = "".join([part async for part in answer.aiter_text()])
    assert "event: end" not in text


# --- the operator's pages -------------------------------------------------------------------------------------------


async def test_the_operator_sees_every_environment(local: httpx.AsyncClient, store: Store) -> None:
    await remember(store, State.FAILED, Reason.CRASHED, "service **web** exits with code 1")
    release = ReleaseRecord(KEY, "r1", "c0ffee0", ReleaseState.FAILED, NOW, NOW, detail="<b>exits</b>", log=NAME)
    await store.save_release(release)
    listed = (await local.get("/")).text
    assert "acme/shop #42" in listed
    assert "failed" in listed
    shown = (await local.get(f"/environments/{KEY}")).text
    assert f'<a href="/logs/{NAME}">output</a>' in shown
    assert "&lt;b&gt;exits&lt;/b&gt;" in shown
    assert f"/logs/{NAME}" in shown


@pytest.mark.parametrize("key", ["pr-7-43", "pr-0-1", "x", "pr-7-" + "9" * 30])
async def test_an_environment_that_is_not_there(local: httpx.AsyncClient, key: str) -> None:
    assert (await local.get(f"/environments/{key}")).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Host": "evil.test"},
        {"Authorization": "Bearer "},
    ],
)
async def test_strangers_see_nothing_even_by_way_of_this_machine(
    store: Store, tmp_path: Path, headers: dict[str, str]
) -> None:
    await remember(store, State.READY, Reason.SERVING)
    address = "203.0.113.9" if "Authorization" in headers else "127.0.0.1"
    async with client_of(store, tmp_path, address=address) as client:
        for path in ("/", f"/environments/{KEY}"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 403
            assert "acme" not in answer.text


async def test_the_token_opens_the_pages_from_anywhere(store: Store, tmp_path: Path) -> None:
    password = "Basic " + base64.b64encode(b"me:" + TOKEN).decode()
    async with client_of(store, tmp_path, address="203.0.113.9", token=TOKEN) as client:
        for good in (f"Bearer {TOKEN.decode()}", password):
            assert (await client.get("/", headers={"Authorization": good})).status_code == 200
        for bad in ("", "Bearer", "Bearer x", "Basic !", "Basic eDp5", f"Digest {TOKEN.decode()}"):
            answer = await client.get("/", headers={"Authorization": bad})
            assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


# --- every answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/front-door",
        "/nowhere",
        "/healthz",
        "/readyz",
        "/metrics",
        "/logs/x",
        "/static/previewbot.css",
        "/webhook",
    ],
)
async def test_every_answer_is_protected(local: httpx.AsyncClient, path: str) -> None:
    answer = await local.get(path)
    assert answer.status_code < 500
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"


async def test_every_reason_is_said_on_a_page(local: httpx.AsyncClient, store: Store) -> None:
    for reason in Reason:
        await remember(store, State.FAILED, reason)
        sentence = SENTENCES[reason]
        assert sentence[1:] in (await ask(local, HOST)).text


async def test_readiness_says_what_is_lacking(store: Store, tmp_path: Path) -> None:
    async def lacking() -> str | None:
        return "the database does not answer"

    app = create_app(replace(site_of(store, tmp_path), ready=lacking))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the database does not answer")


@pytest.mark.parametrize(("method", "path", "then"), [("records", "/", 200), ("find_log", f"/logs/{'a' * 32}", 404)])
@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.REFUSED])
async def test_a_page_of_a_database_that_is_away_says_so_until_it_is_back(
    *, store: Store, tmp_path: Path, kind: Kind, method: str, path: str, then: int
) -> None:
    weather = Weather(fails=("store", method, 0), kind=kind)
    app = create_app(site_of(weather.over("store", store, (method,)), tmp_path))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.text) == (503, "This cannot be read now; try again in a moment.")
        assert (await client.get(path)).status_code == then


async def test_the_log_of_a_build_that_died_with_previewbot_is_not_live_for_ever(
    local: httpx.AsyncClient, store: Store, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    await store.save_build(replace(BUILD, started_at=now - timedelta(hours=2)))
    file = log_of(tmp_path)
    file.write_text("a line\n")
    assert "data-live" in (await local.get(f"/logs/{NAME}")).text
    long_ago = (now - timedelta(minutes=40)).timestamp()
    os.utime(file, (long_ago, long_ago))
    assert "data-live" not in (await local.get(f"/logs/{NAME}")).text
    async with asyncio.timeout(5):
        assert "event: end" in (await local.get(f"/logs/{NAME}/stream")).text
