"""Caddy as the front door: one server of ours, written once through its admin API, beside whatever else runs there.

Loading a configuration anew makes Caddy close connections that it has just accepted, so a route is never a piece of
configuration. Caddy asks previewbot for every request where its host lives (the way ``forward_auth`` does), and a
switch is a line in a table that previewbot keeps: atomic, at once, and without a dropped request. The table lies in a
file, so that a restart of previewbot finds it again; requests that come meanwhile wait a few seconds for it.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import ssl
import time
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

_SECOND = 1_000_000_000
"""Caddy counts nanoseconds."""

_BELIEVED = 1.0
"""Seconds for which a switch believes that Caddy is as it was seen; whoever switches looks again right after."""


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
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            self._routes = {}
        self._hosts = self._by_host()

    def find(self, host: str) -> Sequence[str]:
        """Where the next request to a host goes, and where else should that be down; the copies take turns."""
        addresses = self._hosts.get(host.lower(), ())
        turn = next(self._turn) % len(addresses) if addresses else 0
        return (addresses[turn:] + addresses[:turn])[:2]

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
    """The ``FrontDoor`` port. One process writes the table, one change after the other."""

    def __init__(
        self, admin: str, *, table: RouteTable, listen: Sequence[str], ask: str, proxies: Sequence[str] = ()
    ) -> None:
        """``listen`` are Caddy's addresses such as ``:8080``; ``ask`` is previewbot's web server, ``host:port``.

        ``proxies`` are the networks of those before Caddy who are believed where a visitor comes from.
        """
        self._admin = admin.rstrip("/")
        self._table = table
        self._wanted = _server(listen, ask, proxies)
        self._client = httpx.AsyncClient(
            base_url=self._admin, timeout=httpx.Timeout(10, connect=3), trust_env=False, verify=_trust(self._admin)
        )
        self._writing = asyncio.Lock()
        self._seen_asking = -math.inf

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
            if routes:
                await self._open()
            try:
                self._table.write(key, {host: each for host, each in routes.items() if each})
            except OSError as error:
                raise Transient(f"the table of routes cannot be written: {error.strerror}") from None

    async def check(self) -> str:
        """Describe the front door in a line; ``Transient`` where it does not answer."""
        answer = await self._send_any("GET", "/config/")
        # Whatever else may listen there answers, too; only Caddy shows its configuration, or that it has none.
        if not answer.is_success or not isinstance(_json(answer, "no JSON"), dict | None):
            raise Transient(f"what answers at {self._admin} is not Caddy's admin API: {answer.status_code}")
        return f"Caddy at {self._admin.partition('://')[2]}"

    async def _is_asking(self) -> bool:
        """Whether Caddy has our server as we want it; a restarted Caddy has forgotten it."""
        at = time.monotonic()
        is_asking = bool(await self._send("GET", _SERVER) == self._wanted)
        self._seen_asking = at if is_asking else -math.inf
        return is_asking

    async def _open(self) -> None:
        if time.monotonic() - self._seen_asking < _BELIEVED:
            return
        found = await self._send("GET", _SERVER)
        if found != self._wanted:
            # PUT makes what leads there as well, but replaces nothing.
            await self._send("PATCH" if found else "PUT", _SERVER, self._wanted)

    async def _send_any(self, method: str, path: str, body: Json = None) -> httpx.Response:
        try:
            return await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise Transient(f"Caddy does not answer at {self._admin}: {said}") from None

    async def _send(self, method: str, path: str, body: Json = None) -> Json:
        answer = await self._send_any(method, path, body)
        if answer.is_success:
            return _json(answer) if method == "GET" else None
        if method == "GET":  # nothing there to read
            return None
        raise Transient(f"Caddy refused its configuration: {answer.text[:300]}")


def _trust(admin: str) -> ssl.SSLContext:
    """Whom to believe: over plain HTTP, which the admin API speaks, nobody; a megabyte of authorities stays away."""
    return httpx.create_ssl_context() if admin.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _json(answer: httpx.Response, otherwise: Json = None) -> Json:
    try:
        return answer.json()
    except ValueError:
        return otherwise


def _server(listen: Sequence[str], ask: str, proxies: Sequence[str]) -> Json:
    """Write our server: ask where the host lives, go there, and let previewbot explain whatever does not work."""
    locate = _ask(ask, {}, {"load_balancing": {"try_duration": 10 * _SECOND, "try_interval": _SECOND // 10}})
    learn = {
        "handler": "vars",
        "upstream": "{http.reverse_proxy.header.X-Previewbot-Upstream}",
        "other": "{http.reverse_proxy.header.X-Previewbot-Other}",
    }
    locate["handle_response"] = [{"match": {"status_code": [2]}, "routes": [{"handle": [learn]}]}]
    serve = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": "{http.vars.upstream}"}, {"dial": "{http.vars.other}"}],
        # A copy that refuses connections costs no request, and an app that starts anew is waited for.
        "load_balancing": {
            "selection_policy": {"policy": "random"},
            "try_duration": 3 * _SECOND,
            "try_interval": _SECOND // 20,
        },
        "transport": {"protocol": "http", "dial_timeout": _SECOND},
        "headers": {"request": {"delete": ["X-Previewbot-*"]}},
        "flush_interval": -1,
        "trusted_proxies": list(proxies),
    }
    anonymous = {"handler": "headers", "response": {"delete": ["Server"]}}
    explain = _ask(ask, {"X-Previewbot-Down": ["1"]}, {})
    silent = {"handler": "static_response", "status_code": 502, "body": "previewbot does not answer. Try again soon.\n"}
    trouble = {"handler": "subroute", "routes": [_route(explain)], "errors": {"routes": [_route(silent)]}}
    return {
        "listen": list(listen),
        "automatic_https": {"disable": True},
        "routes": [_route(anonymous, locate, serve)],
        "errors": {"routes": [_route(trouble)]},
    }


def _ask(ask: str, more: Mapping[str, list[str]], options: Mapping[str, Json]) -> dict[str, Json]:
    """Ask previewbot, which learns the host and nothing that a visitor keeps from it."""
    told = {"X-Previewbot-Host": ["{http.request.host}"], **more}
    # Caddy deletes after it has set, so what is set must not be deleted.
    kept_back = {"Authorization", "Connection", "Cookie", "Upgrade", "X-Previewbot-Down"} - set(told)
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": ask}],
        "rewrite": {"method": "GET", "uri": "/front-door"},
        "headers": {"request": {"set": told, "delete": sorted(kept_back)}},
        **options,
    }


def _route(*handlers: Json) -> Json:
    return {"handle": list(handlers)}
