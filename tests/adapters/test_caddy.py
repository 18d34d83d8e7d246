"""The front door, on a real Caddy: visitors reach the app that a host belongs to now, and nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest

from previewbot.adapters.caddy import Caddy, RouteTable
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from tests.fixtures.caddy import App, Street

KEY = Key(7, 1)
HOST = "pr-1-shop.localhost"

on_caddy = pytest.mark.engine


@on_caddy
async def test_a_visitor_reaches_the_app_with_host_path_query_and_body(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://{street.listens}/a%2Fb/c?d=e%20f", headers={"Host": f"{HOST}:8080"}, content=b"a long letter"
        )
    said = answer.json()
    assert (said["app"], said["target"], said["body"]) == ("blue", "/a%2Fb/c?d=e%20f", "a long letter")
    assert said["headers"]["host"] == f"{HOST}:8080"


@on_caddy
async def test_a_long_upload_comes_whole(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    letter = b"0123456789abcdef" * 2**18
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(f"http://{street.listens}/", headers={"Host": HOST}, content=letter)
    assert answer.json()["body"].encode() == letter


@on_caddy
async def test_previewbot_learns_no_cookie_and_no_password_of_a_visitor(street: Street, blue: App) -> None:
    asked = App("previewbot")
    await asked.start()
    door = Caddy(street.admin, table=street.table, listen=(street.listens,), ask=asked.address)
    await door.route(KEY, {HOST: (blue.address,)})
    await street.get(HOST, Cookie="session=1", Authorization="Bearer 2")
    target, headers = asked.requests[0]
    assert (target, headers["x-previewbot-host"]) == ("/front-door", HOST)
    assert not {"cookie", "authorization"} & set(headers)
    await door.aclose()
    await asked.stop()


@on_caddy
async def test_the_app_says_for_itself_what_serves_it(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    assert (await street.get(HOST)).headers.get_list("server") == ["the-app"]


@on_caddy
async def test_a_proxy_that_is_trusted_says_where_the_visitor_came_from(street: Street, blue: App) -> None:
    door = Caddy(street.admin, table=street.table, listen=(street.listens,), ask=street.ask, proxies=("127.0.0.0/8",))
    await door.route(KEY, {HOST: (blue.address,)})
    said = (await street.get(HOST, X_Forwarded_For="198.51.100.7", X_Forwarded_Proto="https")).json()["headers"]
    assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == ("198.51.100.7, 127.0.0.1", "https")
    await door.aclose()


@on_caddy
async def test_the_app_learns_where_the_visitor_came_from_and_the_visitor_cannot_lie(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    lies = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.test"}
    said = (await street.get(HOST, **lies)).json()["headers"]
    assert said["x-forwarded-for"] == "127.0.0.1"
    assert said["x-forwarded-proto"] == "http"
    assert said["x-forwarded-host"] == HOST


@on_caddy
async def test_how_previewbot_steers_is_neither_shown_nor_steered_from_outside(
    street: Street, blue: App, green: App
) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    lies = {
        "X_Previewbot_Upstream": green.address,
        "X_Previewbot_Other": green.address,
        "X_Previewbot_Host": "other.localhost",
        "X_Previewbot_Down": "1",
    }
    answer = await street.get(HOST, **lies)
    assert answer.json()["app"] == "blue"
    assert not [name for name in answer.json()["headers"] if name.startswith("x-previewbot")]
    assert not [name for name in answer.headers if name.startswith("x-previewbot")]
    assert green.requests == []
    answer = await street.get("unknown.localhost", **lies)
    assert (answer.status_code, green.requests) == (404, [])


@on_caddy
async def test_a_host_without_a_route_gets_the_page_that_says_why(street: Street) -> None:
    await street.door.route(KEY, {HOST: ("127.0.0.1:1",)})
    answer = await street.get("pr-2-shop.localhost")
    assert answer.status_code == 404
    assert "No preview lives here" in answer.text
    assert "pr-2-shop.localhost" in answer.text


@on_caddy
@pytest.mark.parametrize("path", ["/webhook", "/metrics", "/", "/healthz", "/front-door"])
async def test_visitors_of_previews_never_reach_previewbots_own_pages(street: Street, path: str) -> None:
    await street.door.route(KEY, {HOST: ("127.0.0.1:1",)})
    answer = await street.get("pr-2-shop.localhost", path)
    assert "No preview lives here" in answer.text


@on_caddy
async def test_a_route_that_is_removed_is_gone_at_once(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    assert (await street.get(HOST)).json()["app"] == "blue"
    await street.door.route(KEY, {})
    assert (await street.get(HOST)).status_code == 404


@on_caddy
async def test_copies_share_the_work(street: Street, blue: App, green: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address, green.address)})
    for _ in range(40):
        assert (await street.get(HOST)).status_code == 200
    assert min(len(blue.requests), len(green.requests)) > 5


@on_caddy
async def test_a_copy_that_is_down_costs_no_request(street: Street, blue: App, green: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address, green.address)})
    await green.stop()
    for _ in range(10):
        answer = await street.get(HOST)
        assert (answer.status_code, answer.json()["app"]) == (200, "blue")


@on_caddy
async def test_an_app_that_restarts_is_waited_for(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    port = int(blue.address.rpartition(":")[2])
    await blue.stop()
    visit = asyncio.create_task(street.get(HOST))
    await asyncio.sleep(0.3)
    await blue.start(port)
    assert (await visit).json()["app"] == "blue"


@on_caddy
async def test_an_app_that_is_down_is_said_to_be(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    await blue.stop()
    began = time.monotonic()
    answer = await street.get(HOST)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert time.monotonic() - began < 5


@on_caddy
async def test_what_an_app_says_bit_by_bit_comes_bit_by_bit(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    url = f"http://{street.listens}/slowly"
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url, headers={"Host": HOST}) as said:
        bits = said.aiter_text()
        assert await anext(bits) == "data: one\n\n"
        blue.go_on.set()
        assert await anext(bits) == "data: two\n\n"


@on_caddy
async def test_a_websocket_goes_both_ways_and_outlives_a_switch(street: Street, blue: App, green: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    reader, writer = await _upgraded(street, HOST)
    await street.door.route(KEY, {HOST: (green.address,)})
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.close()


async def _upgraded(street: Street, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*street.listens.split(":"))
    writer.write(
        f"GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    said = await reader.readuntil(b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in said
    return reader, writer


# --- switching ------------------------------------------------------------------------------------------------------


class Crowd:
    """Visitors that come all the time, some on connections that they keep, and note what fails."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self.served, self.failed, self.is_over = 0, list[str](), False

    async def visit(self, *, keep: bool) -> None:
        """Ask one thing after another until it is over."""
        host, port = self._street.listens.split(":")
        while not self.is_over:
            reader, writer = await asyncio.open_connection(host, port)
            for _ in range(50 if keep else 1):
                await self._ask(reader, writer)
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            length = next(each for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        except (OSError, EOFError, TimeoutError) as error:
            self.failed.append(repr(error))
        else:
            if head.startswith(b"HTTP/1.1 200 "):
                self.served += 1
            else:
                self.failed.append(head.decode())


@on_caddy
async def test_switching_drops_no_request_and_the_next_one_meets_the_new_release(
    street: Street, blue: App, green: App
) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    blue.delay = green.delay = 0.01
    crowd = Crowd(street)
    visitors = [asyncio.create_task(crowd.visit(keep=bool(each % 2))) for each in range(8)]
    took = []
    for turn in range(30):
        new = (green, blue)[turn % 2]
        began = time.monotonic()
        await street.door.route(KEY, {HOST: (new.address,)})
        took.append(time.monotonic() - began)
        assert (await street.get(HOST)).json()["app"] == new.name
        await asyncio.sleep(0.05)
    crowd.is_over = True
    await asyncio.gather(*visitors)
    print(f"{crowd.served} served, a switch took {sorted(took)[15] * 1000:.1f} ms, at most {max(took) * 1000:.1f} ms")
    assert crowd.failed == []
    assert crowd.served > 100


@on_caddy
async def test_a_request_that_is_under_way_ends_where_it_began(street: Street, blue: App, green: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    blue.delay = 0.5
    visit = asyncio.create_task(street.get(HOST))
    while not blue.requests:
        await asyncio.sleep(0.01)
    await street.door.route(KEY, {HOST: (green.address,)})
    await blue.stop()
    assert (await visit).json()["app"] == "blue"


@on_caddy
async def test_routes_that_are_written_at_once_all_hold(street: Street, blue: App) -> None:
    keys = [Key(7, each) for each in range(1, 31)]
    await asyncio.gather(*(street.door.route(key, {f"{key}.localhost": (blue.address,)}) for key in keys))
    assert await street.door.keys() == frozenset(keys)
    for key in keys:
        assert (await street.get(f"{key}.localhost")).json()["app"] == "blue"


# --- Caddy and previewbot come and go ------------------------------------------------------------------------------


@on_caddy
async def test_a_restart_of_previewbot_costs_a_wait_and_no_request(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    await street.stop_previewbot()
    visit = asyncio.create_task(street.get(HOST))
    await asyncio.sleep(0.5)
    await street.start_previewbot()
    assert (await visit).json()["app"] == "blue"


@on_caddy
async def test_without_previewbot_a_visitor_of_an_app_that_is_down_is_told_so(street: Street) -> None:
    await street.door.route(KEY, {HOST: ("127.0.0.1:1",)})
    await street.stop_previewbot()
    answer = await street.get(HOST)
    assert (answer.status_code, answer.text) == (502, "previewbot does not answer. Try again soon.\n")


@on_caddy
async def test_a_caddy_that_forgot_everything_is_seen_and_mended(street: Street, blue: App) -> None:
    await street.door.route(KEY, {HOST: (blue.address,)})
    _load(street, {})
    assert await street.door.observe(KEY) == {}
    await street.door.route(KEY, {HOST: (blue.address,)})
    assert (await street.get(HOST)).json()["app"] == "blue"


@on_caddy
async def test_a_caddy_that_forgets_everything_between_a_look_and_a_switch_is_seen_by_the_look_after(
    street: Street, blue: App
) -> None:
    await street.door.route(KEY, {HOST: ("127.0.0.1:1",)})
    assert await street.door.observe(KEY)
    _load(street, {})
    await street.door.route(KEY, {HOST: (blue.address,)})
    assert await street.door.observe(KEY) == {}
    await street.door.route(KEY, {HOST: (blue.address,)})
    assert (await street.get(HOST)).json()["app"] == "blue"


@on_caddy
async def test_what_else_an_operator_runs_in_caddy_stays_as_it_is(street: Street, blue: App) -> None:
    port = street.listens.rpartition(":")[2]
    other = {"listen": [f"127.0.0.2:{port}"], "routes": [{"handle": [{"handler": "static_response", "body": "mine"}]}]}
    apps = {"http": {"servers": {"theirs": other}}, "events": {}}
    _load(street, {"apps": apps})
    await street.door.route(KEY, {HOST: (blue.address,)})
    await street.door.route(KEY, {})
    found = httpx.get(f"{street.admin}/config/apps", trust_env=False).json()
    assert found["http"]["servers"].pop("previewbot")
    assert found == apps
    assert httpx.get(f"http://127.0.0.2:{port}/", trust_env=False).text == "mine"


@on_caddy
async def test_a_server_of_an_older_previewbot_is_brought_up_to_date(street: Street, blue: App) -> None:
    old = {"listen": [street.listens], "routes": [{"handle": [{"handler": "static_response", "body": "old"}]}]}
    _load(street, {"apps": {"http": {"servers": {"previewbot": old}}}})
    assert await street.door.observe(KEY) == {}
    await street.door.route(KEY, {HOST: (blue.address,)})
    assert (await street.get(HOST)).json()["app"] == "blue"


@on_caddy
async def test_an_address_that_somebody_else_listens_at_is_a_clear_error(street: Street, blue: App) -> None:
    door = Caddy(street.admin, table=street.table, listen=(blue.address,), ask=street.ask)
    with pytest.raises(Transient, match="address already in use"):
        await door.route(KEY, {HOST: ("127.0.0.1:1",)})
    assert street.table.of(KEY) == {}
    await door.aclose()


def _load(street: Street, more: dict[str, object]) -> None:
    admin = {"listen": street.admin.removeprefix("http://"), "config": {"persist": False}}
    answer = httpx.post(f"{street.admin}/load", json={"admin": admin, **more}, trust_env=False)
    answer.raise_for_status()


@on_caddy
async def test_it_says_where_caddy_is(street: Street) -> None:
    assert await street.door.check() == f"Caddy at {street.admin.removeprefix('http://')}"


async def test_a_caddy_that_is_not_there_is_transient_in_every_call(tmp_path: Path) -> None:
    door = Caddy("http://127.0.0.1:1", table=RouteTable(tmp_path / "t"), listen=(":8080",), ask="127.0.0.1:2")
    for call in (door.check(), door.observe(KEY), door.route(KEY, {HOST: ("127.0.0.1:3",)})):
        with pytest.raises(Transient, match=r"Caddy does not answer at http://127\.0\.0\.1:1"):
            await call
    await door.aclose()


# --- the table ------------------------------------------------------------------------------------------------------


def test_a_table_is_found_again_by_the_next_process(tmp_path: Path) -> None:
    RouteTable(tmp_path / "routes.json").write(KEY, {HOST: ("127.0.0.1:1", "127.0.0.1:2")})
    found = RouteTable(tmp_path / "routes.json")
    assert found.of(KEY) == {HOST: ("127.0.0.1:1", "127.0.0.1:2")}
    assert [found.find(HOST.upper())[0] for _ in range(4)] == ["127.0.0.1:1", "127.0.0.1:2"] * 2


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"null", b'{"pr-7-1": 3}', b'{"nonsense": {"a": ["b"]}}', b"\xff\xfe", b"[" * 9000],
)
def test_a_table_that_cannot_be_read_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "routes.json").write_bytes(content)
    table = RouteTable(tmp_path / "routes.json")
    assert (table.keys(), table.find(HOST)) == (frozenset(), ())


def test_a_table_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    table = RouteTable(folder / "routes.json")
    table.write(KEY, {HOST: ("127.0.0.1:1",)})
    before = json.loads((folder / "routes.json").read_text())
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="No such file"):
        table.write(KEY, {HOST: ("127.0.0.1:2",)})
    assert table.find(HOST) == ("127.0.0.1:1",)
    assert json.loads((tmp_path / "elsewhere" / "routes.json").read_text()) == before
