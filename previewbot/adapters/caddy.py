"""Caddy as the front door: one server of ours, written once through its admin API, beside whatever else runs there.

Loading a configuration anew makes Caddy close connections that it has just accepted, so a route is never a piece of
configuration. Caddy asks previewbot for every request where its host lives (the way ``forward_auth`` does), and a
switch is a line in a table that previewbot keeps: atomic, at once, and without a dropped request. The table lies in a
file, so that a restart of previewbot finds it again; requests that come meanwhile wait a few seconds for it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from previewbot.core.errors import Transient
from previewbot.core.ids import Key

_SERVER = "/config/apps/http/servers/previewbot"

Json = Any
Routes = Mapping[str, tuple[str, ...]]
"""Host name to addresses."""


class RouteTable:
    """Which host lives where, in memory and in one file that is replaced whole."""

    def __init__(self, file: Path) -> None:
        """Read the table that an earlier process left; an unreadable one is empty, and filled again by the passes."""
        self._file = file
        self._turn = count()
        self._routes: dict[Key, Routes] = {}
        try:
            for key, routes in json.loads(file.read_bytes()).items():
                found = Key.parse(key)
                if found:
                    self._routes[found] = {str(host): tuple(map(str, each)) for host, each in routes.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self._routes = {}
        self._hosts = self._by_host()

    def find(self, host: str) -> str | None:
        """The address that the next request to a host goes to; its copies take turns."""
        addresses = self._hosts.get(host.lower())
        return addresses[next(self._turn) % len(addresses)] if addresses else None

    def of(self, key: Key) -> Routes:
        """The routes of one environment."""
        return self._routes.get(key, {})

    def keys(self) -> frozenset[Key]:
        """Every environment that has a route."""
        return frozenset(self._routes)

    def write(self, key: Key, routes: Routes) -> None:
        """Make the routes of an environment exactly these, on disk first. Raises ``OSError``."""
        changed = {each: known for each, known in self._routes.items() if each != key}
        if routes:
            changed[key] = dict(routes)
        temporary = self._file.with_suffix(".new")
        with temporary.open("w") as out:
            json.dump({str(each): known for each, known in changed.items()}, out)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self._file)
        self._routes = changed
        self._hosts = self._by_host()

    def _by_host(self) -> dict[str, tuple[str, ...]]:
        return {host: each for routes in self._routes.values() for host, each in routes.items() if each}


class Caddy:
    """The ``FrontDoor`` port."""

    def __init__(self, admin: str, *, table: RouteTable, listen: tuple[str, ...], ask: str) -> None:
        """``listen`` are Caddy's addresses such as ``:8080``; ``ask`` is previewbot's web server, ``host:port``."""
        self._admin = admin.rstrip("/")
        self._table = table
        self._wanted = _server(listen, ask)
        self._client = httpx.AsyncClient(base_url=self._admin, timeout=httpx.Timeout(10, connect=3), trust_env=False)
        self._writing = asyncio.Lock()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def observe(self, key: Key) -> Routes:
        """Read the routes of one environment; none counts while Caddy does not ask for them."""
        return self._table.of(key) if await self._is_asking() else {}

    async def keys(self) -> frozenset[Key]:
        """List every environment that has a route."""
        return self._table.keys()

    async def route(self, key: Key, routes: Routes) -> None:
        """Make the routes of an environment exactly these, all in one step."""
        async with self._writing:
            if routes and not await self._is_asking():
                await self._send("DELETE", _SERVER)
                await self._send("PUT", _SERVER, self._wanted)
            try:
                self._table.write(key, {host: each for host, each in routes.items() if each})
            except OSError as error:
                raise Transient(f"the table of routes cannot be written: {error.strerror}") from None

    async def check(self) -> str:
        """Describe the front door in a line; ``Transient`` where it does not answer."""
        await self._send("GET", "/config/admin")
        return f"Caddy at {self._admin.partition('://')[2]}"

    async def _is_asking(self) -> bool:
        """Whether Caddy has our server as we want it; a restarted Caddy has forgotten it."""
        return bool(await self._send("GET", _SERVER) == self._wanted)

    async def _send(self, method: str, path: str, body: Json = None) -> Json:
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise Transient(f"Caddy does not answer at {self._admin}: {said}") from None
        if answer.is_success:
            return _json(answer) if method == "GET" else None
        if method != "PUT":  # nothing there to read or to delete
            return None
        raise Transient(f"Caddy refused its configuration: {answer.text[:300]}")


def _json(answer: httpx.Response) -> Json:
    try:
        return answer.json()
    except ValueError:
        return None


def _server(listen: Sequence[str], ask: str) -> Json:
    explain = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": ask}],
        "rewrite": {"method": "GET", "uri": "/front-door"},
        "headers": {
            "request": {
                "set": {"X-Previewbot-Host": ["{http.request.host}"]},
                "delete": ["Connection", "Upgrade", "X-Previewbot-Upstream", "X-Previewbot-Down"],
            }
        },
        # previewbot may be starting anew: better a moment's wait than an error.
        "load_balancing": {"try_duration": 10_000_000_000, "try_interval": 100_000_000},
    }
    learn = {
        "handler": "headers",
        "request": {"set": {"X-Previewbot-Upstream": ["{http.reverse_proxy.header.X-Previewbot-Upstream}"]}},
    }
    found = [{"match": {"status_code": [2]}, "routes": [{"handle": [learn]}]}]
    serve = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": "{http.request.header.X-Previewbot-Upstream}"}],
        "headers": {"request": {"delete": ["X-Previewbot-Upstream", "X-Previewbot-Host"]}},
        "flush_interval": -1,
    }
    down = json.loads(json.dumps(explain))
    down["headers"]["request"]["set"]["X-Previewbot-Down"] = ["1"]
    return {
        "listen": list(listen),
        "automatic_https": {"disable": True},
        "routes": [{"handle": [{**explain, "handle_response": found}, serve]}],
        "errors": {"routes": [{"handle": [down]}]},
    }
