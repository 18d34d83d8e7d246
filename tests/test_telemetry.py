"""Logs and metrics: for machines and people alike, and never a secret among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from prometheus_client.metrics import MetricWrapperBase as Metric
from prometheus_client.parser import text_string_to_metric_families

from previewbot.ports import Credential, Store
from previewbot.telemetry import Metrics, configure, redact
from previewbot.web.app import create_app
from tests.web.server import site_of


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_is_one_object_of_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure(format="json", level="info")
    structlog.get_logger().info("delivery", delivery="d1", topics=2)
    structlog.get_logger().debug("not shown")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["delivery"], said["topics"], said["level"]) == ("delivery", "d1", 2, "info")


def test_into_a_pipe_there_are_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    configure(format="console", level="info")
    structlog.get_logger().info("serving", url="http://localhost")
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "secret",
    [
        "ghs_" + "a1" * 18,
        "github_pat_" + "a1" * 20,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "hunter2",
    ],
)
def test_a_secret_is_hidden_wherever_it_slips_in(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    configure(format="json", level="info")
    log = structlog.get_logger()
    log.info("fetch", why=f"could not reach https://x:{secret}@git.test/a.git", webhook_secret=secret)
    log.error("failed", exc_info=ValueError(f"https://x:{secret}@git.test"))
    said = capsys.readouterr().err
    assert secret not in said
    assert json.dumps(secret)[1:-1] not in said
    assert said.count("git.test") >= 2


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_traceback_shows_neither_a_secret_nor_the_value_of_a_variable(
    capsys: pytest.CaptureFixture[str], format: str
) -> None:
    configure(format=format, level="info")
    words = "opensesame"
    address = f"https://x:{words}@git.test"
    try:
        int(address)
    except ValueError:
        structlog.get_logger().exception("failed")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "git.test" in said
    assert words not in said


@pytest.mark.parametrize(
    "text", ["http://localhost:8080/a@b", "http://[::1]:80/", "time 12:30 me@acme.test", "ghs_short"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(None, "info", {"event": text}) == {"event": text}


def test_a_credential_shows_nothing_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    configure(format="json", level="info")
    structlog.get_logger().info("fetch", given=repr(Credential("opensesame")))
    assert "opensesame" not in capsys.readouterr().err


_ROW = re.compile(r"^\| `(previewbot_\w+)` \| (\w+) \| ([^|]*)\| (.+) \|$", re.MULTILINE)


async def test_the_table_of_metrics_tells_exactly_what_is_shown(store: Store, tmp_path: Path) -> None:
    site = site_of(store, tmp_path)
    transport = httpx.ASGITransport(create_app(site))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/metrics")
    labels = {each._name: each._labelnames for each in vars(site.metrics).values() if isinstance(each, Metric)}
    shown = {
        (each.name, each.type, labels[each.name], each.documentation)
        for each in text_string_to_metric_families(answer.text)
    }
    text = (Path(__file__).parent.parent / "deploy" / "metrics.md").read_text()
    told = [(name, kind, tuple(re.findall(r"`(\w+)`", given)), what) for name, kind, given, what in _ROW.findall(text)]
    assert len(told) > 10
    assert sorted(told) == sorted(shown)


def test_metrics_carry_no_identity_of_a_pull_request() -> None:
    names = {label for metric in vars(Metrics()).values() for label in getattr(metric, "_labelnames", ())}
    assert names == {"event", "outcome", "state", "reason", "result", "action", "kind", "what"}
