"""What looks like a secret: told by its name, or by its own looks. In doubt it is one, and is not copied."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

_ALWAYS = re.compile(r"passw|passphrase|secret|token|api_?key|credential|private_?key", re.IGNORECASE)
_WORDS = frozenset({
    "pass", "pwd", "key", "keys", "auth", "salt", "pepper", "dsn", "jwt", "cert", "signing", "encryption", "license",
    "cookie",
})  # fmt: skip
_ABOUT = frozenset({
    "ttl", "timeout", "length", "size", "name", "expiry", "expires", "expiration", "path", "file", "algorithm", "alg",
    "type", "prefix", "enabled", "issuer", "host", "port", "count", "limit", "region", "audience", "lifetime",
    "seconds", "minutes", "hours", "days", "header", "method", "mode",
})  # fmt: skip
"""What follows the name of a secret where a setting is meant that is none."""
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off"})

_LOOKS = re.compile(
    r"""
      ://[^/\s?#@]+@                                      # somebody's name or password before a host
    | [?&;](?:[\w-]*(?:passw|secret|token|key|sig)\w*)=   # or in a query
    | \b(?:sk|pk|rk)_(?:live|test)_ | \bsk-\w | \bwhsec_ | \bgh[pousr]_ | \bgithub_pat_ | \bglpat- | \bnpm_\w{20}
    | \b(?:AKIA|ASIA)[A-Z0-9]{12} | \bAIza | \bxox[abeoprs]- | \bSG\.\w | \bdop_v1_ | \bshp(?:at|ss)_ | \bhv[sb]\.
    | \beyJ[\w-]{8} | -----BEGIN | AGE-SECRET-KEY
    | hooks\.slack\.com/ | /api/webhooks/
    | \b(?:bearer|basic)\s+\S
    | (?:passw(?:or)?d|pwd|secret|token|(?:account|access|api)_?key)["']?\s*[=:]\s*["']?[^\s"'$]
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LONG, _VERY_LONG = 16, 24
_OPTION = re.compile(r"--?[\w-]*(?:passw|pass\b|secret|token|key|auth|pwd|credential)[\w-]*", re.IGNORECASE)
_LOGIN = re.compile(r"(?:^|\s)(?:-u|--user)[\s=]\s*[^\s:$]+:[^\s$]")
_SHORT_PASSWORD = re.compile(r"(?:^|\s)(?:-p(?=\D)|redis-cli\s.*-a\s+)[^\s$]{4,}")
_GIVEN = re.compile(r"([A-Za-z_]\w*)=([^\s$]+)")


def is_named(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    words = [each.lower() for each in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    if words and words[-1] in _ABOUT:
        return False
    return bool(_ALWAYS.search(name)) or not _WORDS.isdisjoint(words)


def looks(text: str) -> bool:
    """Whether a text looks like a secret, or has one in it."""
    return bool(_LOOKS.search(text)) or any(map(_is_random, re.findall(r"[A-Za-z0-9]+", text)))


def is_secret(name: str, value: str) -> bool:
    """Whether a variable with this value is to be kept out of every file."""
    if not value or value.lower() in _SWITCHES:
        return False
    return is_named(name) or looks(value)


def in_command(words: Sequence[str]) -> bool:
    """Whether a command has a secret in it."""
    whole = " ".join(words)
    if looks(whole) or _LOGIN.search(whole) or _SHORT_PASSWORD.search(whole):
        return True
    if any(is_secret(name, value) for name, value in _GIVEN.findall(whole)):
        return True
    parts = whole.split()
    return any(_OPTION.fullmatch(each) and not _is_filled(after) for each, after in itertools.pairwise(parts))


def _is_filled(word: str) -> bool:
    """Whether a word is the next option, or takes its value from a variable."""
    return word.startswith(("-", "$", '"$'))


def _is_random(word: str) -> bool:
    kinds = (any(map(str.isdigit, word)), any(map(str.islower, word)), any(map(str.isupper, word)))
    if len(word) >= _LONG and kinds[0] and (kinds[1] or kinds[2]):
        return True
    return len(word) >= _VERY_LONG and all(kinds[1:])
