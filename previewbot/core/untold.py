"""Variables that a program asked for in its last words, and that its blueprint does not give it.

Programs of many languages say that a variable is missing in a few turns of phrase. What is read out of them is only a
question: the answer is whether the service is really not given a variable of that name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from previewbot.core.filling import is_own
from previewbot.core.model import ServiceSpec, Untold

_LINE, _LIMIT = 1000, 3
"""Letters of a line that are read, and names that are told of: who lacks more can read them one by one."""
_ANY, _LONG = r"(?-i:(?P<name>[A-Z][A-Z0-9_]{2,63}))\b", r"(?-i:(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+))\b"
"""A word in capitals may be anything, so without an underscore it counts only where nothing but a variable is meant."""
_OPEN, _SHUT = r"""[\s:"'`(\[${]{1,4}""", r"""["'`)\]}]{0,3}"""
_VARIABLE = r"env(?:ironment)?[ -]?var(?:iable)?s?"
_MISSING = "missing|undefined|unset|required|empty|null"
_HAD = "set|defined|given|provided|found|present|configured|specified|available"
_PHRASES = tuple(
    re.compile(phrase, re.IGNORECASE)
    for phrase in (
        rf"(?:KeyError|key not found|could not resolve placeholder|{_VARIABLE}(?: not found)?)\b{_OPEN}{_ANY}",
        rf"\b{_ANY}{_SHUT} {_VARIABLE}\b",
        rf"\b{_ANY}{_SHUT}: (?:unbound variable|parameter (?:null or )?not set)",
        rf"\b(?:missing|unset|undefined|requires?|required|set|define|provide|specify)(?: the)?{_OPEN}{_LONG}",
        rf"\b{_LONG}{_SHUT}:? (?:must|has to|cannot|can't|should) (?:be|not be) (?:{_HAD}|{_MISSING})\b",
        rf"\b{_LONG}{_SHUT}:? (?:(?:is|was|are|has|have) )?(?:not|(?:is|was|has)n't)(?: been)? (?:{_HAD})\b",
        rf"\b{_LONG}{_SHUT}:? (?:(?:is|was|are) )?(?:{_MISSING})\b",
    )
)


def untold(lines: Sequence[str], spec: ServiceSpec) -> Untold | None:
    """Find what a program asked for and was not given; ``None`` where it asked for nothing of the kind."""
    given = spec.env.keys() | spec.sealed.keys()
    asked = (found["name"] for line in lines for phrase in _PHRASES for found in phrase.finditer(line[:_LINE]))
    names = [name for name in dict.fromkeys(asked) if name not in given]
    own = sorted(name for name in given if not is_own(name))
    return Untold(tuple(names[:_LIMIT]), tuple(own)) if names else None
