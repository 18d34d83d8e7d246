"""The simulated GitHub's pages: everything that a person can do there is done, and shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from previewbot.demo.github.pages import markdown
from previewbot.demo.machine import quiet
from previewbot.demo.stage import listening, open_shop, serving_github
from tests.fixtures.github import Shop


async def test_a_pull_request_is_opened_pushed_to_commented_labelled_and_closed_by_its_forms(shop: Shop) -> None:
    shop.github.editable = ("index.html",)
    transport = httpx.ASGITransport(shop.github.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://github.test", follow_redirects=True) as browser:
        assert "acme/shop" in (await browser.get("/")).text
        page = await browser.post("/acme/shop/pulls/new", data={"title": "By <hand>", "content": "one"})
        assert "By &lt;hand&gt;" in page.text
        pull = shop.repository.pulls[1]
        assert f"from <code>{pull.head_ref}</code>" in page.text
        here = "/acme/shop/pull/1"
        await browser.post(f"{here}/push", data={"path": "index.html", "content": "two"})
        assert len(pull.commits) == 3
        await browser.post(f"{here}/push", data={"path": "../evil", "content": "two"})
        assert len(pull.commits) == 3
        shown = await browser.post(f"{here}/comment", data={"body": "/help & <b>more</b>"})
        assert pull.comments[0].body == "/help & <b>more</b>"
        assert "&lt;b&gt;more" in shown.text
        await browser.post(f"{here}/label", data={"name": "preview"})
        assert pull.labels == ["preview"]
        for act, state in (("draft", "open"), ("close", "closed"), ("reopen", "open"), ("merge", "closed")):
            assert (await browser.post(f"{here}/{act}")).status_code == 200
            assert pull.state == state
        assert (await browser.post(f"{here}/unheard-of")).status_code == 404


async def told(stream: httpx.Response) -> AsyncIterator[str]:
    """What a page that follows is told, event by event."""
    lines: list[str] = []
    async for line in stream.aiter_lines():
        if line.startswith("data:"):
            lines.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


async def test_a_change_is_on_an_open_page_at_once_without_a_reload(tmp_path: Path) -> None:
    with listening() as listener:
        async with serving_github(tmp_path, listener, quiet) as github, asyncio.timeout(20):
            shop = await open_shop(github)
            pull = await github.open_pull(shop, author="alice", title="x", files={"web/greeting.txt": "one\n"})
            here = f"/acme/shop/pull/{pull.number}"
            async with (
                httpx.AsyncClient(base_url=github.base_url, trust_env=False) as browser,
                browser.stream("GET", f"{here}/live") as stream,
            ):
                assert stream.headers["content-type"].startswith("text/event-stream")
                page = told(stream)
                before = await anext(page)
                assert before.strip() in (await browser.get(here)).text, "what it is told is what a reload shows"
                assert "No comments yet." in before
                async with asyncio.timeout(2):  # sooner than a page looks by itself
                    await browser.post(f"{here}/comment", data={"body": "First line\n\nand `another`"})
                    after = await anext(page)
                    assert "<p>First line</p>" in after
                    assert "<code>another</code>" in after
                async with asyncio.timeout(2):
                    github.close(shop, pull)
                    assert ">Closed</span>" in await anext(page)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!-- hidden -->\n**x**", "<p><strong>x</strong></p>\n"),
        ("<sub>small</sub>", "<p><sub>small</sub></p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
    ],
)
def test_comments_are_rendered_as_github_does_and_nothing_else_gets_through(text: str, shown: str) -> None:
    assert markdown(text) == shown
