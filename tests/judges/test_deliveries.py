"""What the simulated GitHub delivers has what GitHub's deliveries have, and previewbot reads the same of both."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from previewbot.wire import envelope
from tests.fixtures.github import Shop
from tests.judges.judge import Judge
from tests.judges.packages import published

pytestmark = [pytest.mark.npm, pytest.mark.timeout(300)]

Kind = tuple[str, str | None]
"""An event and its action."""
Payload = dict[str, Any]

PLACES = ("", "pull_request", "pull_request.head", "pull_request.base", "pull_request.head.repo", "pull_request.user",
          "issue", "issue.pull_request", "comment", "comment.user", "repository", "repository.owner", "installation",
          "organization", "sender", "head_commit", "pusher", "changes")  # fmt: skip
"""Objects whose fields are compared."""


async def sent(shop: Shop) -> dict[Kind, list[Payload]]:
    """One of everything that can happen, and what the App was told of it."""
    github, repository = shop.github, shop.repository
    shop.listen()
    other = await github.create_repository("acme/other", {"a": "1"})
    for name in ("acme/more", "two/three"):
        await github.create_repository(name, {"a": "1"})
    pull = await github.open_pull(repository, author="alice", title="x", files={"b": "1"})
    await github.open_pull(repository, author="bob", title="y", files={"b": "1"}, fork="bob/shop")
    await github.push(repository, pull, {"b": "2"})
    for login in ("alice", github.state.app.bot):
        github.comment(repository, pull, login, "text")
    for is_off in (False, True):
        github.label(repository, pull, "preview", remove=is_off)
        github.set_draft(repository, pull, draft=not is_off)
    github.close(repository, pull)
    github.reopen(repository, pull)
    github.close(repository, pull, merge=True)
    github.rename(repository, "acme/store")
    github.rename(repository, "two/store")
    github.uninstall(other)
    github.uninstall()
    found = defaultdict(list)
    for event, payload in shop.told():
        found[event, payload.get("action")].append(payload)
    return found


def examples() -> dict[Kind, list[Payload]]:
    """What GitHub publishes; no comment of it is on a pull request, so that is added as GitHub's description has it."""
    found = defaultdict(list)
    for event, payload in published():
        found[event, payload.get("action")].append(payload)
    on_issues = found["issue_comment", "created"]
    link = {"url": "https://api.github.com/repos/a/b/pulls/1", "html_url": "https://github.com/a/b/pull/1"}
    on_pulls = [each | {"issue": each["issue"] | {"pull_request": link}} for each in on_issues]
    found["issue_comment", "created"] += on_pulls
    return found


def fields(payload: Payload, place: str) -> set[str] | None:
    """The names of an object's fields; ``None`` where a payload has no such object."""
    at: Any = payload
    for name in filter(None, place.split(".")):
        at = at.get(name) if isinstance(at, dict) else None
    return set(at) if isinstance(at, dict) else None


async def test_all_of_them_are_as_github_describes_them(shop: Shop) -> None:
    judge, kinds = Judge(), await sent(shop)
    for (event, _), payloads in kinds.items():
        for payload in payloads:
            judge.deliver(event, payload)
    assert judge.faults == set()
    assert len(kinds) == 16


async def test_what_github_shows_in_every_example_ours_have_too(shop: Shop) -> None:
    theirs, lacking = examples(), set()
    for kind, payloads in (await sent(shop)).items():
        assert theirs[kind], kind
        for place in PLACES:
            shown = [each for payload in theirs[kind] if (each := fields(payload, place)) is not None]
            always = set.intersection(*shown) if shown else set()
            for ours in (each for payload in payloads if (each := fields(payload, place)) is not None):
                lacking |= {f"{kind[0]} {kind[1]}: {place}.{name}" for name in always - ours}
    assert sorted(lacking) == []


def leaves(value: Any, at: str = "") -> Iterator[str]:
    """Every field that a reading holds, by its path; fields of objects that nobody looks into are left out."""
    match value:
        case dict() if at != "issue.pull_request":
            for name, each in value.items():
                yield from leaves(each, f"{at}.{name}".lstrip("."))
        case list():
            yield f"{at}: {len(value) > 0}"
        case _:
            yield f"{at}: {type(value).__name__}"


def taken(payload: Payload) -> frozenset[str]:
    """What previewbot takes of a payload."""
    return frozenset(leaves(envelope.decode(json.dumps(payload).encode())))


async def test_previewbot_reads_the_same_fields_of_ours_as_of_githubs(shop: Shop) -> None:
    theirs = examples()
    for kind, payloads in (await sent(shop)).items():
        known = {taken(each) for each in theirs[kind]}
        for payload in payloads:
            assert taken(payload) in known, kind
