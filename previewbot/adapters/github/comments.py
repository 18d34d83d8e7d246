"""The one comment of a pull request: found by its marker, edited where it is, never made twice."""

from __future__ import annotations

import asyncio
import re
from weakref import WeakValueDictionary

import httpx
from pydantic import TypeAdapter

from previewbot.adapters.github.installed import Installed
from previewbot.adapters.github.shapes import Comment
from previewbot.core.ids import Key
from previewbot.core.model import PullRequest

LIMIT = 65_536
"""The longest body that GitHub takes, in characters."""
_CUT = "\n\n<sub>Cut here: the rest is longer than a comment may be.</sub>"
_GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)

_COMMENT = TypeAdapter(Comment)
_COMMENTS = TypeAdapter(list[Comment])


class Comments:
    """Writes the comment that carries a marker; at most one writer per pull request at a time."""

    def __init__(self, installed: Installed) -> None:
        """``installed`` sends what the comment needs."""
        self._installed = installed
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def write(self, pull: PullRequest, marker: str, body: str, *, known: int | None, final: bool) -> int | None:
        """Create or edit the comment and return its id; ``None`` where the budget holds the text back."""
        text = fit(body, marker)
        async with self._locks.setdefault(pull.key, asyncio.Lock()):
            if known is not None:
                edited = await self._edit(pull, known, text, final=final)
                if edited is not False:
                    return known if edited else None
            return await self._write_found(pull, marker, text, final=final)

    async def _write_found(self, pull: PullRequest, marker: str, text: str, *, final: bool) -> int | None:
        found = await self._find(pull, marker)
        if found is None:
            return await self._create(pull, text, final=final)
        if found.body == text:
            return found.id
        # One that vanished between the look and the edit is looked for again in the next pass.
        return found.id if await self._edit(pull, found.id, text, final=final) else None

    async def _find(self, pull: PullRequest, marker: str) -> Comment | None:
        """Look for the oldest comment of ours that carries the marker."""
        path = f"issues/{pull.key.number}/comments"
        async for answer in self._installed.listing(pull.repository, path):
            for each in answer.read(_COMMENTS):
                if marker in (each.body or "") and await self._is_ours(each):
                    return each
        return None

    async def _is_ours(self, comment: Comment) -> bool:
        app = comment.performed_via_github_app
        if app is not None and app.id is not None:
            return app.id == self._installed.app_id
        user = comment.user
        return user is not None and user.type == "Bot" and user.login == f"{await self._installed.slug()}[bot]"

    async def _create(self, pull: PullRequest, text: str, *, final: bool) -> int | None:
        path = f"issues/{pull.key.number}/comments"
        if not self._installed.afford(pull.repository, path, final=final):
            return None
        answer = await self._installed.call(pull.repository, "POST", path, body={"body": text})
        return answer.read(_COMMENT).id

    async def _edit(self, pull: PullRequest, id: int, text: str, *, final: bool) -> bool | None:
        """Edit; ``None`` where the budget holds it back, ``False`` where the comment is gone."""
        path = f"issues/comments/{id}"
        if not self._installed.afford(pull.repository, path, final=final):
            return None
        answer = await self._installed.call(pull.repository, "PATCH", path, body={"body": text}, allow=_GONE)
        return answer.response.is_success


def fit(body: str, marker: str, limit: int = LIMIT) -> str:
    """Make a body that GitHub takes: valid text, no longer than ``limit``, with its marker, cut between lines.

    What a cut leaves open, a fenced block or ``<details>``, is closed again.
    """
    text = body.encode("utf-8", "replace").decode("utf-8").replace("\0", "�")
    if len(text) <= limit and marker in text:
        return text
    room = limit - len(marker) - len(_CUT) - 200
    if len(text) > limit:
        kept = text[:room]
        text = _close(kept[: kept.rfind("\n") + 1] or kept) + _CUT
    return text if marker in text else f"{text}\n{marker}"


def _close(text: str) -> str:
    fence = None
    for line in text.splitlines():
        found = re.match(r"[ >]*(`{3,40}|~{3,40})", line)
        if found and (fence is None or (found[1].startswith(fence) and not line.strip(" >`~"))):
            fence = found[1] if fence is None else None
    closed = f"{text.rstrip()}\n{fence}\n" if fence else text
    return closed + "</details>" * min(text.count("<details") - text.count("</details>"), 10)
