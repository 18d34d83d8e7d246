"""Judges what is asked of GitHub, what the simulated one answers and what it delivers, by GitHub's own description."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jsonschema_rs
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from previewbot.demo.github.faults import BROKEN
from tests.judges.packages import description

_AS_APP = re.compile(r"/app(/.*)?|/app-manifests/.*|/repos/\{owner\}/\{repo\}/installation")
"""Paths that an App asks with its own key or none, where the description says nothing of installations."""
_OTHERS = re.compile(r"/settings/.*|/organizations/[^/]+/settings/.*|/[^/]+/[^/]+\.git/.*")
"""What browsers and git ask for."""
_ANYWHERE = {301, 307, 401, 403, 404, 429}
"""What any request may be answered with, whether its operation lists it or not: GitHub's basic error then."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; ``is_broken`` where the answer was spoilt on purpose."""

    method: str
    path: str
    query: str
    asked: bytes
    status: int
    answered: bytes
    is_broken: bool


@dataclass
class Judge:
    """Notes what breaks GitHub's own rules."""

    faults: set[str] = field(default_factory=set)
    judged: set[tuple[str, int]] = field(default_factory=set)
    """Operations and statuses."""

    def api(self, app: ASGIApp, *, answers_only: bool = False) -> ASGIApp:
        """Listen to everything that an application is asked and answers; a test's own requests may be wrong."""

        async def heard(scope: Scope, receive: Receive, send: Send) -> None:
            asked, answered, status = await _whole(receive), bytearray(), 0

            async def hear() -> Message:
                return {"type": "http.request", "body": asked, "more_body": False}

            async def say(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                answered.extend(message.get("body", b""))
                await send(message)

            try:
                await app(scope, hear, say)
            finally:
                path, query = scope["raw_path"].decode(), scope["query_string"].decode()
                it = Exchange(scope["method"], path, query, asked, status, bytes(answered), BROKEN in scope)
                self.judge(it, answers_only=answers_only)

        return heard

    def door(self, app: ASGIApp) -> ASGIApp:
        """Listen to everything that is delivered to an application."""

        async def heard(scope: Scope, receive: Receive, send: Send) -> None:
            body = await _whole(receive)
            event = dict(scope["headers"])[b"x-github-event"].decode()
            self.deliver(event, json.loads(body))

            async def hear() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            await app(scope, hear, send)

        return heard

    def deliver(self, event: str, payload: dict[str, Any]) -> None:
        """Judge one delivery."""
        here = "-".join([event, *([payload["action"]] if "action" in payload else [])]).replace("_", "-")
        known = description()["x-webhooks"].get(here)
        if known is None:
            self.faults.add(f"{here} is not among GitHub's events")
            return
        schema = known["post"]["requestBody"]["content"]["application/json"]["schema"]
        self.faults |= complaints(f"event {here}", schema, payload)

    def judge(self, it: Exchange, *, answers_only: bool = False) -> None:
        """Judge one request and its answer."""
        path = re.sub(r"^(/api/v3)?(/repositories/\d+)?", lambda found: "/repos/o/r" if found[2] else "", it.path)
        if _OTHERS.fullmatch(path):
            return
        found = _operation(it.method.lower(), path)
        if found is None:
            self.faults.add(f"{it.method} {path} is not in GitHub's API")
            return
        here = f"{it.method} {found[0]}"
        if not answers_only:
            self.faults |= _wrong_request(here, found, it)
        if not it.is_broken:
            self.judged.add((here, it.status))
            self.faults |= _wrong_answer(here, found, it)


async def _whole(receive: Receive) -> bytes:
    """A request's body, which an application that refuses it may never read."""
    body = bytearray()
    while True:
        message = await receive()
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            return bytes(body)


Operation = tuple[str, dict[str, Any]]


@cache
def _operation(method: str, path: str) -> Operation | None:
    found = [(name, every[method]) for shape, name, every in _paths() if method in every and shape.fullmatch(path)]
    return min(found, key=lambda each: each[0].count("{"), default=None)


@cache
def _paths() -> list[tuple[re.Pattern[str], str, dict[str, Any]]]:
    known = description()["paths"].items()
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path, operations) for path, operations in known]


def _wrong_request(here: str, found: Operation, it: Exchange) -> set[str]:
    name, operation = found
    faults = set()
    if not operation["x-github"]["enabledForGitHubApps"] and not _AS_APP.fullmatch(name):
        faults.add(f"{here} is not for Apps")
    known = {each["name"]: each["schema"] for each in operation.get("parameters", []) if each["in"] == "query"}
    for asked, values in parse_qs(it.query).items():
        if asked not in known:
            faults.add(f"{here}: unknown {asked}")
        elif not _fits_text(f"{here}?{asked}", known[asked], values[0]):
            faults.add(f"{here}: {asked} cannot be {values[0]}")
    body = operation.get("requestBody", {})
    if it.asked:
        faults |= _misfits(f"{here}: request", body.get("content", {}), it.asked)
    elif body.get("required"):
        faults.add(f"{here}: request has no body")
    return faults


def _wrong_answer(here: str, found: Operation, it: Exchange) -> set[str]:
    answers = found[1]["responses"].get(str(it.status))
    if answers is None and it.status in _ANYWHERE:
        answers = description()["paths"]["/repos/{owner}/{repo}"]["get"]["responses"]["404"]
    if answers is None:
        return {f"{here}: {it.status} is not among its answers"}
    faults = _misfits(f"{here}: {it.status}", answers.get("content", {}), it.answered)
    says = all(name.encode() in it.answered for name in ("message", "documentation_url"))
    return faults if it.status < 300 or says else {*faults, f"{here}: {it.status} does not say what is wrong"}


def _misfits(here: str, content: dict[str, Any], body: bytes) -> set[str]:
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return set()
    try:
        return complaints(here, schema, json.loads(body))
    except ValueError:
        return {f"{here}: is not JSON"}


def complaints(here: str, schema: dict[str, Any], body: Any) -> set[str]:
    """Say what of a body does not fit a schema of GitHub's description."""
    errors = list(_validator(here, schema).iter_errors(body))[:3]
    return {f"{here}: {'/'.join(map(str, each.instance_path))}: {each.message[:150]}" for each in errors}


def _fits_text(here: str, schema: dict[str, Any], text: str) -> bool:
    value = int(text) if schema.get("type") == "integer" and text.isdigit() else text
    return not complaints(here, schema, value)


_SIDE = {"label", "ref", "repo", "sha", "user"}
"""The fields of one side of a pull request."""
_VALIDATORS: dict[str, Any] = {}


def _validator(here: str, schema: dict[str, Any]) -> Any:
    if here not in _VALIDATORS:
        _VALIDATORS[here] = jsonschema_rs.validator_for(_plain(schema))
    return _VALIDATORS[here]


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema says ``null``.

    The description asks for an account that is a user *and* an enterprise, which none is: one of them is enough. And it
    knows no pull request from a fork that was deleted, of which GitHub says ``null``.
    """
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    titles = [each.get("title") for each in schema.get("allOf", []) if isinstance(each, dict)]
    if titles == ["Simple User", "Enterprise"]:
        schema = {"anyOf": schema["allOf"]} | {name: each for name, each in schema.items() if name != "allOf"}
    if schema.keys() == _SIDE:
        schema = schema | {name: schema[name] | {"nullable": True} for name in ("repo", "user")}
    made = {name: _plain(each) for name, each in schema.items() if name not in ("example", "examples", "nullable")}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made
