"""The comment: what a person reads in each state, word for word, and that nothing from outside can break it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from previewbot.core.blueprint import Flaw
from previewbot.core.model import (
    Reason,
    ReleaseRecord,
    ReleaseState,
    Removed,
    ServiceLine,
    State,
    Status,
    Untold,
)
from previewbot.wire import answers, notice
from previewbot.wire.sentences import SENTENCES
from tests.core.facts import COMMIT, KEY, NOW, OLDER

CONTEXT = notice.Context("https://previewbot.test")
URL = "http://pr-42-shop.localhost:8080"
GOOD = ReleaseRecord(KEY, "r1", OLDER, ReleaseState.SERVING, NOW, NOW, NOW, urls={"web": URL})
WEB = ServiceLine("web", URL, "ready", "built in 6.0 s")
API = ServiceLine("api", None, "ready", "reused, unchanged since `a81d0c4`")
READY = Status(State.READY, Reason.SERVING, NOW, COMMIT, (WEB, API), seconds=13.6, start_seconds=1.23)


def say(status: Status) -> str:
    return notice.comment(KEY, status, CONTEXT)


def test_ready() -> None:
    assert (
        say(READY)
        == """<!-- previewbot:pr-7-42 -->
**Preview is ready** · [pr-42-shop.localhost:8080](http://pr-42-shop.localhost:8080) · commit `3f9c2e1` · 14 s from push to URL · started in 1.2 s · since 2026-11-23 14:03 UTC

| service | | state | image |
|---|---|---|---|
| web | [open](http://pr-42-shop.localhost:8080) | ready | built in 6.0 s |
| api | inside | ready | reused, unchanged since `a81d0c4` |

<sub>`/redeploy` rebuild from scratch · `/help` more · gone when this pull request closes</sub>
"""  # noqa: E501 - to the letter
    )


def test_what_was_asked_for_is_counted_from_there() -> None:
    assert " · 14 s from `/redeploy` to URL · started in 1.2 s · " in say(replace(READY, is_asked_for=True))


def test_building_links_the_log_and_the_last_good_version() -> None:
    text = say(Status(State.BUILDING, Reason.IMAGES_BUILDING, NOW, COMMIT, log="abc", last_good=GOOD))
    assert "**Building** `3f9c2e1`" in text
    assert "[live log](https://previewbot.test/logs/abc)" in text
    assert f"The last good version `a81d0c4` is still at [pr-42-shop.localhost:8080]({URL})." in text


def test_a_failed_build_shows_where_what_and_the_way_out() -> None:
    status = Status(
        State.FAILED,
        Reason.BUILD_FAILED,
        NOW,
        COMMIT,
        detail="service **web**, at step 4/9 `RUN npm run build`",
        lines=("src/cart.ts(12,7): error TS2322",),
        log="abc",
        last_good=GOOD,
    )
    text = say(status)
    assert "**Build of `3f9c2e1` failed** in service **web**, at step 4/9 `RUN npm run build`" in text
    assert "```text\nsrc/cart.ts(12,7): error TS2322\n```" in text
    assert "Push a fix, or `/redeploy` if it was a hiccup." in text
    assert "The last good version `a81d0c4` is still at" in text
    assert "[build log](https://previewbot.test/logs/abc)" in text


def test_a_flaw_says_file_line_column_and_fix() -> None:
    flaw = Flaw("previewbot.yaml", 14, 5, "unknown key `prot` in service `web`", "did you mean `port`?")
    text = say(Status(State.FAILED, Reason.BLUEPRINT_FLAWED, NOW, COMMIT, flaws=(flaw,)))
    assert "**previewbot.yaml has a flaw** at `3f9c2e1`, so nothing was changed" in text
    assert "- `previewbot.yaml:14:5` unknown key `prot` in service `web`; did you mean `port`?" in text


def test_a_fork_is_told_calmly_and_what_can_be_done() -> None:
    text = say(Status(State.SKIPPED, Reason.FORK, NOW, detail="someone/shop"))
    assert "**No preview for this pull request**: it comes from a fork (`someone/shop`)" in text
    assert "Somebody with write permission can push the branch here" in text
    assert "/redeploy" not in text


def test_the_end_counts_what_was_removed() -> None:
    status = Status(
        State.GONE,
        Reason.MERGED,
        NOW,
        COMMIT,
        removed=Removed(3, 1, 2),
        lived=timedelta(days=2, hours=3),
        commits=7,
    )
    assert (
        say(status)
        == """<!-- previewbot:pr-7-42 -->
**Preview removed** when the pull request was merged: 3 containers, 1 network, 2 volumes, checked gone at 14:03:12 UTC. It lived 2 days and served 7 commits.
"""  # noqa: E501 - to the letter
    )
    assert "a routine check found the closed pull request" in say(replace(status, repaired=True))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_sentence(reason: Reason) -> None:
    assert SENTENCES[reason]
    for state in State:
        assert say(Status(state, reason, NOW, COMMIT)).startswith("<!-- previewbot:pr-7-42 -->\n**")


hostile = st.text() | st.sampled_from(
    ["```", "@everyone", "<!-- previewbot:pr-1-1 -->", "](http://evil)", "|", "<img>"]
)


@given(hostile, st.lists(hostile, max_size=5))
def test_nothing_from_outside_breaks_out_of_the_comment(detail: str, lines: list[str]) -> None:
    """Output stays inside its fence, a detail stays on its line, and neither becomes HTML or a mention."""
    flat = tuple(" ".join(line.splitlines()) for line in lines)
    for reason, state in ((Reason.CRASHED, State.FAILED), (Reason.FORK, State.SKIPPED)):
        text = say(Status(state, reason, NOW, COMMIT, detail=detail, lines=flat))
        tokens = MarkdownIt("commonmark").parse(text)
        assert sum(token.type == "fence" for token in tokens) == (1 if any(flat) or flat else 0)
        html = [token for token in tokens if token.type == "html_block"]
        assert [token.content.splitlines()[0] for token in html] == ["<!-- previewbot:pr-7-42 -->"] * len(html)
        head = text.splitlines()[1]
        assert "@everyone" not in head.replace("`@everyone`", "")
        assert "<img>" not in head.replace("`<img>`", "")


def test_the_answer_lists_every_command() -> None:
    text = answers.help_text()
    assert "`/redeploy`" in text
    assert "`/help`" in text
    assert "not a command" in answers.help_text(unknown=True)


def test_a_page_and_a_terminal_get_the_sentence_without_markdown() -> None:
    status = Status(State.FAILED, Reason.CRASHED, NOW, COMMIT, detail="service **api** exits with code 1")
    assert notice.sentence(status) == "it does not stay up (service api exits with code 1)"


def test_a_program_for_another_processor_is_known_by_what_it_said() -> None:
    status = Status(State.FAILED, Reason.CRASHED, NOW, COMMIT, detail="service **api** exits with code 1")
    said = say(replace(status, lines=("[FATAL tini (7)] exec /app failed: Exec format error",)))
    assert "built for another kind of processor" in said
    assert "built for another kind of processor" not in say(replace(status, lines=("KeyError",)))


@pytest.mark.parametrize(
    ("untold", "told"),
    [
        (
            Untold(("STRIPE_KEY",), ("DATABASE_URL", "SENDGRID_KEY")),
            (
                "It is given no `STRIPE_KEY`: add it to the service's `env` or `secrets` in `previewbot.yaml`, "
                "where it has `DATABASE_URL` and `SENDGRID_KEY`. Push a fix, or `/redeploy` to try the same"
            ),
        ),
        (
            Untold(("A_KEY", "B_KEY", "C_KEY"), ()),
            (
                "It is given no `A_KEY`, `B_KEY` or `C_KEY`: add them to the service's `env` or `secrets` "
                "in `previewbot.yaml`. Push"
            ),
        ),
        (Untold(("A_KEY",), tuple(f"K{each}" for each in range(10))), "`K6`, `K7` and 2 more. Push"),
    ],
)
def test_a_variable_that_a_program_lacks_is_named_beside_those_that_it_has(untold: Untold, told: str) -> None:
    detail, lines = "service **api** exits with code 1", ("KeyError: 'STRIPE_KEY'",)
    said = say(Status(State.FAILED, Reason.CRASHED, NOW, COMMIT, detail=detail, lines=lines, untold=untold))
    assert told in said


def test_a_failed_rebuild_of_what_serves_names_the_earlier_build() -> None:
    status = Status(State.FAILED, Reason.BUILD_FAILED, NOW, OLDER, last_good=GOOD)
    text = say(status)
    assert f"An earlier build of the same commit is still at [pr-42-shop.localhost:8080]({URL})." in text
    assert "Until then" not in text
    assert "Until then" in say(replace(status, state=State.BUILDING, reason=Reason.IMAGES_BUILDING))
