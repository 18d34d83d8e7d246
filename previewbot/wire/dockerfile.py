"""The one thing that a Dockerfile tells beside how to build it: the port that its last stage exposes."""

from __future__ import annotations

import re


def exposed_port(raw: bytes) -> int | None:
    """Find the first TCP port that the last stage exposes, or the stage that it is made from.

    ``None`` where there is none, or only one in a variable. Whatever else stands in the file is passed over.
    """
    stages: dict[str, int | None] = {}
    name, inherited, own = "", None, None
    for line in raw.decode("utf-8", "replace").splitlines():
        match line.split("#", 1)[0].split():
            case [instruction, *words] if instruction.upper() == "FROM":
                base, name = _stage([word for word in words if not word.startswith("--")])
                inherited, own = stages.get(base), None
            case [instruction, *words] if instruction.upper() == "EXPOSE":
                own = own or next((port for word in words if (port := _port(word))), None)
            case _:
                continue
        stages[name] = own or inherited
    return own or inherited


def _stage(words: list[str]) -> tuple[str, str]:
    """The image that a stage is made from, and the stage's own name: both in lower case, empty where not given."""
    match [word.lower() for word in words]:
        case [base, "as", name, *_]:
            return base, name
        case [base, *_]:
            return base, ""
        case _:
            return "", ""


def _port(word: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,5})(/tcp)?", word, re.ASCII | re.IGNORECASE)
    port = int(match[1]) if match else 0
    return port if 0 < port < 2**16 else None
