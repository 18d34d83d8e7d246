"""What a cluster says of a program, in people's words. Pure: parts of a pod in, clauses out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from previewbot.adapters.exits import cannot_start, exits, killed
from previewbot.adapters.kubernetes.kinds import Thing

_ROOT = ("runAsNonRoot", "run as root")
_START_ERRORS = ("StartError", "ContainerCannotRun")
_PULL_NOISE = re.compile(
    r'^(Back-off pulling image "[^"]*"(: )?|ErrImagePull: |rpc error: code = \w+ desc = '
    r'|failed to pull and unpack image "[^"]*": |failed to resolve reference "[^"]*": )'
)
"""What a node writes before the cause: it changes from try to try, or says once more which image is meant."""
_SHUT = re.compile(
    r"\b40[13]\b|unauthori[sz]ed|forbidden|denied|authori[sz]ation|basic auth|insufficient_scope", re.IGNORECASE
)
_LOGIN = "previewbot's operator has to give the cluster a login that may (registry.pull_secret_file)"


def cannot_pull(waiting: Mapping[str, Any]) -> str:
    """Say why an image cannot be pulled."""
    said = whole = " ".join((waiting.get("message") or waiting.get("reason") or "").split())
    while _PULL_NOISE.match(said):
        said = _PULL_NOISE.sub("", said, count=1)
    if "no match for platform" in said:
        return "has an image that is not made for the processors of this cluster"
    if _SHUT.search(said):
        doubt = " where the image's name is right," if "does not exist" in said else ""
        return f"may not pull its image ({short(said)}):{doubt} {_LOGIN}"
    return f"cannot pull its image: {short(said or whole)}"


def cannot_run(waiting: Mapping[str, Any]) -> str:
    """Say why a container is not made."""
    message = str(waiting.get("message") or waiting.get("reason"))
    if any(each in message for each in _ROOT):
        return "may not run as root in this cluster: its image has to name a user by a number, such as `USER 1000`"
    return cannot_start(message) or f"cannot be started: {short(message)}"


def ended(pod: Thing, state: Mapping[str, Any]) -> str:
    """Say how a container ended, from its ``terminated`` state."""
    if state.get("reason") == "OOMKilled":
        return killed(_memory(pod))
    if state.get("reason") in _START_ERRORS:
        message = str(state.get("message") or "")
        return cannot_start(message) or f"cannot be started: {short(message) or 'its node does not say why'}"
    return exits(state.get("exitCode", "?"))


def eviction(pod: Thing) -> str | None:
    """Say why the cluster ended a pod as a whole; ``None`` where it did not."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    return f"was ended by the cluster: {short(status.get('message') or status['reason']).rstrip('. ')}"


def is_its_own_fault(pod: Thing) -> bool:
    """Whether a pod was ended because it used more than it may, and not for others."""
    return "exceed" in str((pod.get("status") or {}).get("message"))


def short(text: str) -> str:
    """Bring what a cluster says on one line."""
    return " ".join(text.split())[:300]


def _memory(pod: Thing) -> str | None:
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    found = ((containers[0].get("resources") or {}).get("limits") or {}).get("memory")
    return re.sub(r"^(\d+)([KMGT]i)$", r"\1 \2B", str(found)) if found else None
