"""What the end of a program means, in people's words; the same on every runtime."""

from __future__ import annotations

import signal

_KNOWN = {126: "its command cannot be run", 127: "command not found"}
_SIGNALLED = 128


def exits(code: object) -> str:
    """Say with which code a program exits, and what that means where that is known."""
    return f"exits with code {code}{_meaning(code) if isinstance(code, int) else ''}"


def killed(limit: str | None) -> str:
    """Say that a program was ended for want of memory; ``limit`` is how much it may use."""
    return f"was killed: out of memory{f' (limit {limit})' if limit else ''}"


def cannot_start(said: str) -> str | None:
    """Say why a program cannot even begin, from what the runtime below says; ``None`` where that says no more."""
    if "exec format error" in said:
        return "was built for another kind of processor, or is a script that does not say what runs it"
    if "executable file not found" in said or ("exec" in said and "no such file or directory" in said):
        return "has a command that its image does not have"
    if "exec" in said and "permission denied" in said:
        return "has a command that it may not execute"
    return None


def _meaning(code: int) -> str:
    if code in _KNOWN:
        return f" ({_KNOWN[code]})"
    if code > _SIGNALLED and code - _SIGNALLED in set(signal.Signals):
        return f" ({signal.Signals(code - _SIGNALLED).name})"
    return ""
