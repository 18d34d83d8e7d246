"""What previewbot says of itself: logs as fields, and metrics without an identity of any pull request."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_HIDDEN = "…"
_SECRET_NAME = re.compile(r"token|secret|password|authorization|private_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\bgh[a-z]_[A-Za-z0-9_.-]{20,}|\bgithub_pat_\w{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|$)|(?<=://)[^/@\s]*:[^/@\s]+(?=@)",
    re.DOTALL,
)
"""Tokens of GitHub, signed tokens, private keys, and passwords in addresses: also in the middle of a text."""
_SIGNS = ("gh", "eyJ", "-----BEGIN", "://")
"""Without one of these a text holds none of them: looked for first, since every line of the log comes by here."""


def configure(*, format: str, level: str) -> None:
    """Set logging up for the whole process, on standard error: ``console``, ``json``, or ``auto`` by the terminal."""
    plain = format == "console" or (format == "auto" and sys.stderr.isatty())
    colours = plain and sys.stderr.isatty() and "NO_COLOR" not in os.environ
    renderer: Any = structlog.dev.ConsoleRenderer(colors=colours) if plain else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if plain else [structlog.processors.format_exc_info]),
            redact,  # after tracebacks became texts
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
        elif isinstance(value, str) and any(sign in value for sign in _SIGNS):
            event[name] = _SECRET_TEXT.sub(_HIDDEN, value)
    return event


@cache
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


class Metrics:
    """Every metric, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "previewbot_deliveries", "Webhook deliveries by event and outcome.", ["event", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.delivery_seconds = Histogram(
            "previewbot_delivery_seconds", "From a delivery's headers to its answer.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10), registry=self.registry,
        )  # fmt: skip
        self.passes = Counter("previewbot_passes", "Passes by outcome.", ["outcome"], registry=self.registry)
        self.pass_seconds = Histogram("previewbot_pass_seconds", "How long passes take.", registry=self.registry)
        self.environments = Gauge(
            "previewbot_environments", "Environments by state and reason.", ["state", "reason"], registry=self.registry
        )
        self.queue_depth = Gauge("previewbot_queue_depth", "Topics that are due.", registry=self.registry)
        self.push_to_url = Histogram(
            "previewbot_push_to_url_seconds", "From an accepted delivery to the URL answering with its commit.",
            buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600), registry=self.registry,
        )  # fmt: skip

    def render(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self.registry)
