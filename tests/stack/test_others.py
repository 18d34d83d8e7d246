"""MySQL and RabbitMQ as previewbot runs them: real servers, found ready by the app, and again after a restart.

MariaDB stands in MySQL's place, since Debian has no other.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from previewbot.demo.github.state import Pull
from previewbot.demo.ground import EngineGround
from previewbot.demo.story import until
from tests.stack.place import PATIENCE, Stack, stacked
from tests.stack.servers import OTHERS

_GROUNDS = [
    pytest.param("docker", marks=pytest.mark.engine),
    pytest.param("kubernetes", marks=pytest.mark.cluster),
]


@pytest.fixture(params=_GROUNDS)
async def mail(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    cluster = request.getfixturevalue("cluster") if request.param == "kubernetes" else None
    async with stacked(tmp_path, "mail", OTHERS, cluster=cluster) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_database_and_a_broker_are_ready_keep_what_they_have_and_are_gone(mail: Stack) -> None:
    """One test for both: what it costs is to start the servers."""
    pull = await mail.open()
    status = await mail.get(pull, "/status")
    assert status["at_start"] is True, "both answer before the app is started"
    assert (status["letters"], status["waiting"]) == ([], 0)

    refused = await mail.get(pull, "/intrude")
    assert "Access denied" in refused["letters"]
    assert "Access denied" in refused["root"], "nobody is root from outside"
    assert "ACCESS_REFUSED" in refused["post"]

    assert await mail.get(pull, "/write") == {"written": None}
    for resource in ("letters", "post"):
        seen = _look(mail, resource)
        assert (seen["user"], seen["restarts"]) == ("999", 0)
        _restart(mail, resource)
    await until("all of it is there again", lambda: _has_all(mail, pull), patience=PATIENCE, pause=0.5)
    assert await mail.get(pull, "/take") == {"taken": "a letter"}

    mail.stage.github.close(mail.repository, pull)
    await until("nothing is left", mail.is_empty, patience=PATIENCE)


async def _has_all(mail: Stack, pull: Pull) -> bool:
    status = await mail.get(pull, "/status")
    return bool(status["letters"] == [["Dear reader"]] and status["waiting"] == 1)


def _look(mail: Stack, resource: str) -> Mapping[str, Any]:
    """Whom a server runs as, and how often it was started again: one that wants more memory than it may have is."""
    if isinstance(mail.stage.ground, EngineGround):
        client = mail.stage.ground.client()
        try:
            server = _container(mail, resource)
            said = client.exec_start(client.exec_create(server, ["id", "-u"])["Id"]).decode()
            return {"user": said.strip(), "restarts": client.inspect_container(server)["RestartCount"]}
        finally:
            client.close()
    pod = _pod(mail, resource)
    assert mail.cluster
    at = ("-n", pod["metadata"]["namespace"], pod["metadata"]["name"])
    user = mail.cluster.kubectl("exec", *at, "--", "id", "-u").strip()
    return {"user": user, "restarts": pod["status"]["containerStatuses"][0]["restartCount"]}


def _restart(mail: Stack, resource: str) -> None:
    """End a server and have another on its volume: a new pod, where there are pods."""
    if isinstance(mail.stage.ground, EngineGround):
        client = mail.stage.ground.client()
        try:
            client.restart(_container(mail, resource))
        finally:
            client.close()
        return
    about = _pod(mail, resource)["metadata"]
    assert mail.cluster
    mail.cluster.kubectl("delete", "pod", "-n", about["namespace"], about["name"])


def _container(mail: Stack, resource: str) -> str:
    assert isinstance(mail.stage.ground, EngineGround)
    client = mail.stage.ground.client()
    try:
        mine = [f"previewbot.instance={mail.stage.instance}", f"previewbot.resource={resource}"]
        (found,) = client.containers(filters={"label": mine})
        return str(found["Id"])
    finally:
        client.close()


def _pod(mail: Stack, resource: str) -> Any:
    assert mail.cluster
    mine = f"previewbot.dev/instance={mail.stage.instance},previewbot.dev/resource={resource}"
    found = mail.cluster.kubectl("get", "pods", "--all-namespaces", "-l", mine, "-o", "json")
    (pod,) = json.loads(found)["items"]
    return pod
