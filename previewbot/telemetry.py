"""What previewbot says of itself: logs as fields, and metrics without an identity of any pull request."""

from __future__ import annotations

import logging
import math
import os
import re
import sys
from collections import Counter as Counts
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from previewbot.core.model import State
from previewbot.ports import Hub, Outcome, Repair, Store

_HIDDEN = "…"
_SECRET_NAME = re.compile(r"token|secret|password|authorization|private_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\bgh[a-z]_[A-Za-z0-9_.-]{20,}|\bgithub_pat_\w{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|$)|(?<=://)[^/@\s]*:[^/@\s]+(?=@)",
    re.DOTALL,
)
"""Tokens of GitHub, signed tokens, private keys, and passwords in addresses: also in the middle of a text."""


def configure(*, format: str, level: str) -> None:
    """Set logging up for the whole process, on standard error: ``console``, ``json``, or ``auto`` by the terminal."""
    plain = format == "console" or (format == "auto" and sys.stderr.isatty())
    colours = plain and sys.stderr.isatty() and "NO_COLOR" not in os.environ
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
        if plain
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,  # after tracebacks became texts, which show no variable's value
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what is called a secret, or looks like one of GitHub's, should anybody ever log one."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = _HIDDEN
        elif isinstance(value, str) and _may_hold_a_secret(value):
            event[name] = _SECRET_TEXT.sub(_HIDDEN, value)
    return event


def _may_hold_a_secret(text: str) -> bool:
    """Whether a text holds what all of them have; spelled out, since every value of every line comes by here."""
    return "gh" in text or "eyJ" in text or "-----BEGIN" in text or "://" in text


@cache
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


_PASSES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BUILDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)
_PUSHES = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_ANSWERS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10)


class Metrics:
    """Every metric, in a registry of its own; the engine counts through it as ``ports.Meter``."""

    def __init__(self) -> None:
        # A second series for each, which nothing reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        # The door counts.
        self.deliveries = self._counter("previewbot_deliveries", "Webhook deliveries.", "event", "outcome")
        self.delivery_seconds = self._seconds(
            "previewbot_delivery_seconds", "From a delivery's headers to its answer.", _ANSWERS
        )
        # The engine counts.
        self.push_to_url = self._seconds(
            "previewbot_push_to_url_seconds", "From an accepted delivery to the URL that serves its commit.", _PUSHES
        )
        self.builds = self._seconds("previewbot_build_seconds", "Builds that are over.", _BUILDS, "result")
        self.actions = self._counter("previewbot_actions", "Actions of plans.", "action", "outcome")
        self.passes = self._seconds("previewbot_pass_seconds", "Passes over a topic.", _PASSES, "kind", "outcome")
        self.repairs = self._counter("previewbot_repairs", "What was found and mended although nothing told.", "what")
        # Read whenever somebody asks.
        self.environments = self._gauge("previewbot_environments", "Environments.", "state", "reason")
        self.queue_depth = self._gauge("previewbot_queue_depth", "Topics that are due.")
        self.queue_oldest = self._gauge("previewbot_queue_oldest_seconds", "How long the oldest of them is due.")
        self.requests_left = self._gauge("previewbot_github_requests_left", "Requests that GitHub still takes.")
        self.writes_left = self._gauge(
            "previewbot_github_writes_left", "Comments and the like that GitHub still takes."
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=self.registry)

    def _seconds(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self.registry)

    def served(self, after: timedelta) -> None:
        """Observe a release that serves for the first time."""
        self.push_to_url.observe(max(after.total_seconds(), 0.0))

    def built(self, result: str, took: timedelta) -> None:
        """Observe a build that is over."""
        self.builds.labels(result).observe(took.total_seconds())

    def acted(self, action: str, outcome: Outcome) -> None:
        """Count an action."""
        self.actions.labels(action, outcome).inc()

    def passed(self, kind: str, outcome: Outcome, took: timedelta) -> None:
        """Observe a pass."""
        self.passes.labels(kind, outcome).observe(took.total_seconds())

    def repaired(self, what: Repair, count: int = 1) -> None:
        """Count what nothing had told of."""
        self.repairs.labels(what).inc(count)

    async def measure(self, store: Store, hub: Hub, now: datetime) -> None:
        """Bring up to date what is read and not counted; raises ``Transient`` where the store is away."""
        states = Counts((each.status.state, each.status.reason) for each in await store.records() if each.status)
        self.environments.clear()
        for (state, reason), count in states.items():
            if state is not State.GONE:
                self.environments.labels(state, reason).set(count)
        due = await store.next_due()
        self.queue_depth.set(await store.depth(now))
        self.queue_oldest.set(max((now - due).total_seconds(), 0.0) if due else 0.0)
        left = hub.allowance()
        self.requests_left.set(math.nan if left.requests is None else left.requests)
        self.writes_left.set(left.writes)

    def render(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self.registry)
