"""Text from outside, made safe: it can neither break the layout of a comment nor mention anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence

_OUTPUT_LIMIT = 4000
"""Characters of output in a comment; the log page has the rest."""


def code(text: str | None) -> str:
    """Make a text safe between two backticks."""
    return re.sub(r"[`\x00-\x1f\x7f]", " ", text or "").strip()[:200]


def line(text: str) -> str:
    """Make a text safe as one line of prose: no breaks, no HTML, no mention of anybody."""
    flat = re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:500]
    return flat.replace("<", "&lt;").replace("@", "@\u200b").replace("](", "]\u200b(")


def plain(text: str | None) -> str:
    """Take the Markdown out of a detail, for pages and terminals."""
    return re.sub(r"[*`]", "", line(text or "").replace("&lt;", "<").replace("\u200b", ""))


def fenced(lines: Sequence[str]) -> str:
    """Show lines as they are, whatever is in them; of very many, the last."""
    text = "\n".join(lines)[-_OUTPUT_LIMIT:]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"
