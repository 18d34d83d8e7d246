"""What previewbot asks of GitHub, and what the simulated one answers, judged by GitHub's description of its own API."""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jsonschema_rs
import pytest

from previewbot.adapters.github import AppCredentials, GitHubHub
from previewbot.adapters.local import SystemClock
from tests.contract.test_hub import everything, opened
from tests.fixtures.github import Shop
from tests.judges.packages import description

pytestmark = [pytest.mark.npm, pytest.mark.timeout(300)]

_AS_APP = re.compile(r"/app(/.*)?|/repos/\{owner\}/\{repo\}/installation")
"""Paths that an App asks with its own key, where the description says nothing of installations."""


class Judge:
    """An ASGI application that lets everything through and notes what breaks GitHub's own rules."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.faults: list[str] = []
        self.judged = 0
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path, operations)
            for path, operations in description()["paths"].items()
        ]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        asked, answered, status = bytearray(), bytearray(), 0

        async def hear() -> Any:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, hear, say)
        self._judge(scope, bytes(asked), status, bytes(answered))

    def _judge(self, scope: MutableMapping[str, Any], asked: bytes, status: int, answered: bytes) -> None:
        method, path = scope["method"].lower(), scope["path"]
        found = [
            (name, every[method]) for shape, name, every in self._paths if method in every and shape.fullmatch(path)
        ]
        if not found:
            self.faults.append(f"{method} {path} is not in GitHub's API")
            return
        name, operation = min(found, key=lambda each: each[0].count("{"))
        self.judged += 1
        here = f"{method} {name}"
        if not operation["x-github"]["enabledForGitHubApps"] and not _AS_APP.fullmatch(name):
            self.faults.append(f"{here} is not for Apps")
        known = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        self.faults += [
            f"{here}: unknown {each}" for each in parse_qs(scope["query_string"].decode()) if each not in known
        ]
        if asked:
            content = operation.get("requestBody", {}).get("content", {})
            self._fits(f"{here}: request", content, asked)
        answers = operation["responses"].get(str(status))
        if answers is None:
            self.faults.append(f"{here}: {status} is not among its answers")
        elif status < 300 and answered:
            self._fits(f"{here}: answer", answers.get("content", {}), answered)

    def _fits(self, here: str, content: dict[str, Any], body: bytes) -> None:
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return
        validator = jsonschema_rs.validator_for(_plain(schema))
        for error in list(validator.iter_errors(json.loads(body)))[:3]:
            self.faults.append(f"{here}: {'/'.join(map(str, error.instance_path))}: {error.message[:150]}")


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema says ``null``.

    The description asks for an account that is a user *and* an enterprise, which none is: one of them is enough.
    """
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    titles = [each.get("title") for each in schema.get("allOf", []) if isinstance(each, dict)]
    if titles == ["Simple User", "Enterprise"]:
        schema = {"anyOf": schema["allOf"]} | {name: each for name, each in schema.items() if name != "allOf"}
    made = {name: _plain(each) for name, each in schema.items() if name not in ("example", "examples", "nullable")}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


async def test_every_request_and_every_answer_is_as_github_describes_it(shop: Shop, tmp_path: Path) -> None:
    judge = Judge(shop.github.app)
    app = shop.github.state.app
    hub = GitHubHub(
        AppCredentials(app.id, app.pem, "http://github.test"), clock=SystemClock(), transport=httpx.ASGITransport(judge)
    )
    try:
        await everything(shop, hub, await opened(shop))
        await hub.describe()
        await hub.repositories()
    finally:
        await hub.aclose()
    assert judge.judged > 12
    assert sorted(set(judge.faults)) == []
