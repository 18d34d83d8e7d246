"""Everything that GitHub publishes as an example is taken at the door, and what matters of it is understood."""

from __future__ import annotations

import json
import subprocess

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from previewbot.adapters.local import SystemClock
from previewbot.core.ids import Key
from previewbot.demo.github.hooks import sign
from previewbot.demo.github.state import Attempt, now
from previewbot.ports import Store
from previewbot.telemetry import Metrics
from previewbot.web.webhook import Door
from previewbot.wire import events
from tests.judges.packages import derived, installed, published

pytestmark = pytest.mark.npm


async def test_every_published_payload_is_accepted(store: Store) -> None:
    door = Door(store, SystemClock(), (b"secret",), Metrics())
    app = Starlette(routes=[Route("/webhook", door, methods=["POST"])])
    deliveries = [*published(), *derived()]
    assert len(deliveries) == 329 + 3
    answers = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://previewbot.test") as client:
        for number, (event, payload) in enumerate(deliveries):
            body = json.dumps(payload).encode()
            attempt = Attempt(number, f"guid-{number}", event, None, payload, now())
            answers.append(
                (await client.post("/webhook", content=body, headers=sign("secret", body, attempt))).status_code
            )
    assert set(answers) == {202}


def test_pull_requests_and_comments_are_understood() -> None:
    hints = [(event, payload, events.read(event, payload)) for event, payload in published()]
    pulls = [reading for event, payload, reading in hints if event == "pull_request" and payload["action"] == "opened"]
    assert pulls
    assert all(isinstance(reading.topics[0], Key) for reading in pulls)
    quiet = {event for event, _, reading in hints if not reading.topics}
    loud = {event for event, _, reading in hints if reading.topics}
    assert loud <= events.KNOWN
    assert "star" in quiet


def test_our_signatures_are_those_that_githubs_own_library_makes() -> None:
    body = json.dumps({"a": "é"}).encode()
    attempt = Attempt(1, "g", "ping", None, {}, now())
    script = (
        "import('@octokit/webhooks-methods').then(async (m) => "
        "console.log(await m.verify('secret', process.argv[1], process.argv[2])))"
    )
    signature = sign("secret", body, attempt)["X-Hub-Signature-256"]
    for given, good in ((signature, "true"), (signature[:-1] + "x", "false")):
        done = subprocess.run(
            ["node", "-e", script, body.decode(), given],
            cwd=installed().parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == good
