"""The edge to an API server, with one that answers what the test wants: what is said, kept, and asked how often."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from previewbot.adapters.kubernetes import Api, Mirror, connect
from previewbot.adapters.kubernetes.answers import Conflict, Stale
from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, HTTP_ROUTE, NAMESPACE, POD, Thing
from previewbot.adapters.kubernetes.writer import Writer
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason
from tests.fixtures.api_server import Answer, Server

WEB: Thing = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web-1", "namespace": "here", "uid": "1", "resourceVersion": "1", "labels": {}},
    "spec": {},
}


@pytest.fixture
async def api(api_server: Server) -> AsyncIterator[Api]:
    made = await connect(api_server.kubeconfig)
    yield made
    await made.close()


@asynccontextmanager
async def kept(api: Api, *kinds: Any) -> AsyncIterator[Mirror]:
    mirror = Mirror(api, "", kinds, patience=0.5)
    keeping = asyncio.create_task(mirror.run())
    try:
        yield mirror
        assert not keeping.done(), "a mirror goes on whatever the server says"
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


def _is(request: web.Request, method: str, part: str) -> bool:
    return request.method == method and part in request.path


# --- a copy that is old must not decide anything ----------------------------------------------------------------------


async def test_a_kind_that_the_cluster_does_not_know_is_told_and_taken_up_once_it_does(
    api_server: Server, api: Api
) -> None:
    api_server.rule = lambda request: (404, {"message": "page not found"}) if "httproutes" in request.path else None
    async with kept(api, NAMESPACE, HTTP_ROUTE) as mirror:
        with pytest.raises(Transient, match=r"does not know HTTPRoute.*install the CustomResourceDefinitions"):
            await mirror.ready()
        api_server.rule = lambda _: None
        async with asyncio.timeout(10):
            await _until_ready(mirror)


async def test_a_kind_that_is_taken_away_makes_the_copy_old(api_server: Server, api: Api) -> None:
    opened: list[web.Request] = []

    def once(request: web.Request) -> Answer | None:
        """The list is there; the watch is cut off, and from then on there is nothing."""
        if "httproutes" not in request.path or not opened:
            opened.extend([request] if "httproutes" in request.path else [])
            return None
        return 404, {"message": "page not found"}

    api_server.rule = once
    async with kept(api, NAMESPACE, HTTP_ROUTE) as mirror:
        while "WATCH /apis/gateway.networking.k8s.io/v1/httproutes" not in api_server.calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        with pytest.raises(Transient, match="does not know HTTPRoute"):
            await mirror.ready()


async def _until_ready(mirror: Mirror) -> None:
    while True:
        try:
            return await mirror.ready()
        except Transient:
            continue


async def test_a_copy_that_nobody_keeps_is_old(api_server: Server, api: Api) -> None:
    mirror = Mirror(api, "", [NAMESPACE], patience=0.2)
    keeping = asyncio.create_task(mirror.run())
    await mirror.ready()
    keeping.cancel()
    await asyncio.wait([keeping])
    with pytest.raises(Transient):
        await mirror.ready()


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}],
        [{"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd is away"}}],
        [{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}],
    ],
    ids=["ends at once", "forgot", "fails", "ends after a word"],
)
async def test_a_watch_that_does_not_last_is_tried_ever_more_seldom(
    api_server: Server, api: Api, events: list[Any]
) -> None:
    api_server.rule = lambda request: (200, events) if "watch" in request.query else None
    async with kept(api, NAMESPACE):
        await asyncio.sleep(1.2)
    assert 3 <= len([call for call in api_server.calls if call.startswith("WATCH")]) <= 5
    assert len([call for call in api_server.calls if call.startswith("GET")]) <= 5


async def test_a_watch_that_fails_says_how(api_server: Server, api: Api) -> None:
    status = {"kind": "Status", "code": 500, "message": "etcd is away"}
    api_server.rule = lambda request: (200, [{"type": "ERROR", "object": status}]) if "watch" in request.query else None
    with pytest.raises(Transient, match="cannot tell what becomes of namespaces now: etcd is away"):
        await anext(aiter(api.watch(NAMESPACE, "1", "")))
    status["code"] = 410
    with pytest.raises(Stale):
        await anext(aiter(api.watch(NAMESPACE, "1", "")))


# --- deleting ---------------------------------------------------------------------------------------------------------


def _meets(*found: Thing) -> Callable[[web.Request], Answer | None]:
    """A deletion that is answered with a conflict, and what is there then."""
    listing = {"metadata": {"resourceVersion": "5"}, "items": list(found)}

    def rule(request: web.Request) -> Answer | None:
        if request.method == "DELETE":
            return 409, {"message": "the object has been modified"}
        return (200, listing) if request.path.endswith("/deployments") and "watch" not in request.query else None

    return rule


async def test_a_deletion_that_fails_for_now_hides_nothing_that_lives(api_server: Server, api: Api) -> None:
    api_server.rule = _meets(WEB)
    async with kept(api, DEPLOYMENT) as mirror:
        await mirror.ready()
        with pytest.raises(Conflict, match="Somebody else was faster"):
            await Writer(api, mirror).delete(WEB)
        assert mirror.find(DEPLOYMENT, "here", "web-1")


async def test_another_object_of_the_name_is_no_trouble_for_a_deletion(api_server: Server, api: Api) -> None:
    api_server.rule = _meets({**WEB, "metadata": {**WEB["metadata"], "uid": "2"}})
    assert await api.delete(WEB) is None


async def test_what_is_ending_already_needs_no_second_deletion(api_server: Server, api: Api) -> None:
    ending = {**WEB, "metadata": {**WEB["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    api_server.rule = _meets(ending)
    assert await api.delete(WEB) == ending


# --- writing ----------------------------------------------------------------------------------------------------------

RACE = 'Operation cannot be fulfilled on resourcequotas "preview": the object has been modified'


def _busy(method: str, times: int) -> Callable[[web.Request], Answer | None]:
    """Writes that meet the count of a quota so often, and then succeed."""
    met = iter(range(times))

    def rule(request: web.Request) -> Answer | None:
        if request.method != method:
            return None
        return (409, {"reason": "Conflict", "message": RACE}) if next(met, None) is not None else (200, WEB)

    return rule


async def test_a_write_that_meets_another_ones_count_of_a_quota_is_tried_again(api_server: Server, api: Api) -> None:
    api_server.rule = _busy("PATCH", 2)
    assert await api.apply(WEB) == WEB
    api_server.rule = _busy("POST", 2)
    assert await api.create(WEB) == WEB, "it was not there: nobody may take that for a name that is taken"


async def test_a_write_that_always_meets_others_is_told_of(api_server: Server, api: Api) -> None:
    api_server.rule = _busy("PATCH", 99)
    with pytest.raises(Conflict, match="Somebody else was faster"):
        await api.apply(WEB)
    assert len(api_server.calls) == 4


async def test_a_name_that_is_taken_is_asked_for_once(api_server: Server, api: Api) -> None:
    api_server.rule = lambda _: (409, {"reason": "AlreadyExists", "message": 'deployments "web-1" already exists'})
    assert await api.create(WEB) is None
    assert len(api_server.calls) == 1


# --- what is said -----------------------------------------------------------------------------------------------------


REFUSES, LACKS = "The cluster refuses to write the Deployment web-1:", "previewbot lacks a permission in the cluster:"
FASTER = "Somebody else was faster when previewbot was about to write the Deployment web-1:"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((422, "it is invalid: spec.replicas"), f"{REFUSES} it is invalid: spec.replicas."),
        ((403, "a webhook denied the request: no."), f"{REFUSES} a webhook denied the request: no."),
        ((403, "exceeded quota: preview"), f"{REFUSES} exceeded quota: preview."),
        ((403, 'User "x" cannot patch deployments'), f'{LACKS} User "x" cannot patch deployments.'),
        ((409, "it cannot be fulfilled"), f"{FASTER} it cannot be fulfilled."),
        ((429, "Too many requests"), "The cluster cannot write the Deployment web-1 now: Too many requests."),
        ((401, "Unauthorized"), "The cluster does not take previewbot's proof of who it is: Unauthorized."),
        ((404, "not found"), "The Deployment web-1 cannot be written: what it belongs to is gone."),
        ((418, ""), f"{REFUSES} it answers 418."),
    ],
)
async def test_what_the_cluster_answers_is_told_in_a_sentence(
    api_server: Server, api: Api, answer: tuple[int, str], told: str
) -> None:
    status, message = answer
    api_server.rule = lambda _: (status, {"message": message})
    with pytest.raises((Transient, Refused)) as raised:
        await api.apply(WEB)
    assert str(raised.value) == told
    if isinstance(raised.value, Refused):
        is_quota = "exceeded quota" in message
        assert raised.value.reason == (Reason.QUOTA_EXCEEDED if is_quota else Reason.RUNTIME_REFUSED)


# --- staying who we are -----------------------------------------------------------------------------------------------


class Guard:
    """An API server that takes one token at a time."""

    def __init__(self) -> None:
        self.token = "first"
        self.refused = 0

    def __call__(self, request: web.Request) -> Answer | None:
        if request.headers.get("Authorization") == f"Bearer {self.token}":
            return None
        self.refused += 1
        return 401, {"message": "Unauthorized"}


def _plugin(folder: Path) -> dict[str, Any]:
    """A program that gives out the token in a file, and counts how often it was run."""
    script = folder / "plugin.py"
    script.write_text(
        "import json, pathlib\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "with (folder / 'runs').open('a') as runs: runs.write('x')\n"
        "token = (folder / 'token').read_text()\n"
        "status = {'token': token, 'expirationTimestamp': '2999-01-01T00:00:00Z'}\n"
        "kind = {'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential'}\n"
        "print(json.dumps({**kind, 'status': status}))\n"
    )
    (folder / "token").write_text("first")
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
        }
    }


async def test_a_token_of_a_plugin_is_asked_for_again_once_it_is_not_taken(api_server: Server, tmp_path: Path) -> None:
    api_server.user, api_server.rule = _plugin(tmp_path), (guard := Guard())
    api = await connect(api_server.kubeconfig)
    try:
        await api.list(POD)
        guard.token = "second"
        (tmp_path / "token").write_text("second")
        await asyncio.gather(*(api.list(POD) for _ in range(10)))
        assert (tmp_path / "runs").read_text() == "xx", "once for all who ask"
    finally:
        await api.close()


async def test_a_token_in_a_file_is_read_again_once_it_is_not_taken(api_server: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    api_server.user, api_server.rule = {"tokenFile": str(tmp_path / "token")}, (guard := Guard())
    api = await connect(api_server.kubeconfig)
    try:
        guard.token = "second"
        (tmp_path / "token").write_text("second")
        await api.list(POD)
    finally:
        await api.close()


async def test_a_token_that_cannot_be_renewed_is_told_and_not_asked_for_all_the_time(
    api_server: Server, tmp_path: Path
) -> None:
    api_server.user, api_server.rule = _plugin(tmp_path), (guard := Guard())
    api = await connect(api_server.kubeconfig)
    try:
        guard.token = "second"
        for _ in range(5):
            with pytest.raises(Transient, match="proof of who it is"):
                await api.list(POD)
        assert len((tmp_path / "runs").read_text()) == 2
        assert guard.refused == 5
    finally:
        await api.close()


async def test_a_kubeconfig_that_is_not_yaml_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("a: [")
    with pytest.raises(Refused, match="cannot be used"):
        await connect(tmp_path / "kubeconfig")
