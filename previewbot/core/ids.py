"""The names of things, made only of numbers and checked slugs: no branch name can reach a shell or a host."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_LABEL_LIMIT = 63
"""The longest one part of a host name may be (RFC 1035)."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The identity of one pull request's environment: it survives a rename of the repository and of the branch."""

    repository: int
    number: int

    def __str__(self) -> str:
        """``pr-<repository id>-<number>``: the one spelling, in labels, logs and the database."""
        return f"pr-{self.repository}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """Read the spelling that ``str`` writes; anything else is ``None``."""
        found = re.fullmatch(r"pr-([1-9][0-9]{0,18})-([1-9][0-9]{0,18})", text, re.ASCII)
        return cls(int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True, order=True)
class Survey:
    """A look at a whole repository: which of its pull requests deserve a look of their own."""

    repository: int

    def __str__(self) -> str:
        """``repository-<id>``: the spelling in the queue."""
        return f"repository-{self.repository}"

    @classmethod
    def parse(cls, text: str) -> Survey | None:
        """Read the spelling that ``str`` writes; anything else is ``None``."""
        found = re.fullmatch(r"repository-([1-9][0-9]{0,18})", text, re.ASCII)
        return cls(int(found[1])) if found else None


Topic = Key | Survey
"""What the queue holds."""


def digest(*parts: str, length: int = 16) -> str:
    """Hash texts to ``length`` hexadecimal digits, so that no two lists of parts look alike by accident."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        whole.update(len(raw).to_bytes(8, "big") + raw)
    return whole.hexdigest()[:length]


def slug(text: str, limit: int = 40) -> str:
    """Make a part of a host name from any text: lower case letters, digits and single hyphens; never empty."""
    made = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-")
    return made or f"app-{digest(text, length=6)}"


def host_label(*parts: str) -> str:
    """Join parts to one label of a host name; where that is too long, its end becomes a hash of the whole."""
    whole = "-".join(parts)
    if len(whole) <= _LABEL_LIMIT:
        return whole
    return f"{whole[: _LABEL_LIMIT - 9].rstrip('-')}-{digest(whole, length=8)}"
