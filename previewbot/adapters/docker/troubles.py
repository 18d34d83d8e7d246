"""What the last words of ``docker build`` mean where no step of the Dockerfile is to blame. Pure.

Three programs say them: the BuildKit inside Docker 20.10's command, the buildx plugin of newer ones, and the classic
builder. What the app's own commands print stands in numbered lines or further up, so that none of it passes for these.
"""

from __future__ import annotations

import re

from previewbot.adapters.building import UNWELL, short

_DIED = re.compile(
    r"unexpected EOF|error reading from server: EOF|rpc error: code = (?:Unavailable|Canceled)"
    r"|(?:Canceled|rpc error): context canceled|no active session|cannot connect to the Docker daemon"
    r"|error during connect|failed to dial gRPC|use of closed network connection",
    re.IGNORECASE,
)
_PULL = re.compile(
    r"failed to (?:resolve source metadata|do request|authorize|fetch oauth token|copy)|httpReadSeeker"
    r"|failed to create LLB definition: (?!dockerfile)|^(?:Error response from daemon: )?(?:Get|Head) \"https?://"
)
_STEP = re.compile(r"executor failed running|process \"|The command '|returned a non-zero code")


def read_trouble(last_words: str) -> str | None:
    """Say in a sentence what hindered a build and passes by itself; ``None`` where it is the Dockerfile's own fault."""
    if _STEP.search(last_words):
        return None
    if _PULL.search(last_words) and UNWELL.search(last_words):
        return f"A base image cannot be pulled now: {short(last_words)}"
    if _DIED.search(last_words):
        return f"The Docker engine went away in the middle of the build: {short(last_words)}"
    return None
