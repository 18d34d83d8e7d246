"""What the store promises about its memory: what was saved comes back whole, and strange rows harm nobody."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from previewbot.core.blueprint import Build, Concurrency, Flaw, Health, Kind, Schedule
from previewbot.core.ids import Key
from previewbot.core.model import (
    Ask,
    BuildRecord,
    BuildState,
    Command,
    Deployment,
    HookPoint,
    Published,
    Reason,
    Record,
    Redeploy,
    ReleaseRecord,
    ReleaseSpec,
    ReleaseState,
    Removed,
    ServiceLine,
    ServiceSpec,
    Size,
    State,
    Status,
    Untold,
)
from previewbot.core.secrets import Seal, SecretName
from previewbot.ports import Delivery, Store

NOW = datetime(2031, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ONE, TWO, OTHER = Key(11, 1), Key(11, 2), Key(2**53, 2**40)

IMAGE = Build("web", "Dockerfile.prod", "prod", {"A": "b"}, ("NPM_TOKEN",))
SERVICE = ServiceSpec(
    "web",
    "image-1",
    IMAGE,
    ("serve", "--all"),
    8080,
    "pr-1-shop",
    Health("/healthz", timedelta(seconds=7.5), ("check",)),
    {"A": "b"},
    2,
    kind=Kind.CRON,
    size=Size(0.5, 2**40),
    after=("db",),
    hook=HookPoint.SEED,
    schedule=Schedule("0 3 * * *", "Europe/Berlin", Concurrency.REPLACE, 5, enabled=False),
    sealed={"URL": ("postgres://:", Seal(SecretName("db", "password"), "v1", own=True), "@db")},
    volumes={"/data": "files"},
    needs=("db-17",),
    seeds="db-17",
    user=999,
    entrypoint=("sh", "-c"),
    edition="e" * 64,
)
SPEC = ReleaseSpec(ONE, "r1", "shop", "c1", (SERVICE,), {"web": "u", "api": "v"}, resource="db")
RELEASE = ReleaseRecord(
    ONE,
    "r1",
    "c1",
    ReleaseState.FAILED,
    NOW,
    NOW + SECOND,
    served_at=NOW + 2 * SECOND,
    took=SECOND * 1.5,
    urls={"web": "u", "api": "v"},
    reason="crashed",
    service="web",
    detail="exits with code 1",
    lines=("a", "é 😀"),
    log="l" * 32,
    tries=2,
    failed_at=NOW + 3 * SECOND,
    seals=(Seal(SecretName("web", "TOKEN"), "1.5", own=False), Seal(SecretName("db", "password"), "v1", own=True)),
    spec=SPEC,
    digests={"image-1": "sha256:1"},
)
BUILD = BuildRecord(
    "image-1",
    ONE,
    "web",
    "c1",
    "log-1",
    BuildState.FAILED,
    NOW,
    finished_at=NOW + SECOND,
    digest="sha256:1",
    step="RUN",
    lines=("x",),
    timed_out=True,
)
STATUS = Status(
    State.FAILED,
    Reason.BUILD_FAILED,
    NOW,
    "c1",
    (ServiceLine("web", "u", "failed", "reused"),),
    "detail",
    ("line",),
    (Flaw("f.yaml", 1, 2, "problem", "fix"),),
    "log-1",
    RELEASE,
    1.25,
    Removed(1, 2, 3),
    timedelta(days=3, microseconds=7),
    4,
    repaired=True,
    parting="exits with code 3",
    is_asked_for=True,
    start_seconds=0.75,
    untold=Untold(("STRIPE_KEY",), ("DATABASE_URL",)),
)
RECORD = Record(
    ONE,
    "ann/shop",
    "shop",
    STATUS,
    NOW,
    "c1",
    2,
    NOW - SECOND,
    Published(5, "d"),
    Deployment(6, "c1", "success"),
    (7, 8),
    Redeploy(9, "c1"),
    Removed(3, 2, 1),
    {"web": "pr-1-shop", "api": "pr-1-shop-api"},
    farewell=NOW,
    seeded=frozenset({"db-16", "db-17"}),
    keeps_secrets=True,
    parting="exits with code 3",
    last_words="w" * 32,
)


def empty(value: Any) -> list[str]:
    """The fields of a dataclass that have no other value than their default."""
    defaults = {each.name: each.default for each in fields(value)}
    made = {each.name: each.default_factory() for each in fields(value) if each.default_factory is not MISSING}
    return [name for name, default in (defaults | made).items() if getattr(value, name) == default]


async def test_everything_that_was_saved_comes_back(any_store: Store) -> None:
    saved = (IMAGE, SERVICE, SPEC, RELEASE, BUILD, STATUS, RECORD)
    assert {type(each).__name__: empty(each) for each in saved if empty(each)} == {}
    await any_store.save(RECORD)
    await any_store.save_release(RELEASE)
    await any_store.save_build(BUILD)
    assert await any_store.load(ONE) == RECORD
    assert tuple((await any_store.load(ONE)).hosts) == ("web", "api")
    assert await any_store.releases(ONE) == (RELEASE,)
    assert await any_store.find_log("log-1") == BUILD
    assert await any_store.builds(["image-1", "image-2"]) == {"image-1": BUILD}


async def test_an_unknown_environment_is_empty(any_store: Store) -> None:
    assert await any_store.load(OTHER) == Record(OTHER)
    assert await any_store.releases(OTHER) == ()
    assert await any_store.builds([]) == {}
    assert await any_store.find_log("no\0thing") is None
    assert await any_store.find_host("nobody") is None


async def test_a_save_replaces_what_was_there(any_store: Store) -> None:
    await any_store.save(RECORD)
    await any_store.save(Record(ONE, commit="c2"))
    assert await any_store.records() == (Record(ONE, commit="c2"),)
    await any_store.save_release(RELEASE)
    await any_store.save_release(replace(RELEASE, state=ReleaseState.RETIRED))
    assert [each.state for each in await any_store.releases(ONE)] == [ReleaseState.RETIRED]
    await any_store.save_build(BUILD)
    await any_store.save_build(replace(BUILD, state=BuildState.CANCELLED))
    assert (await any_store.builds(["image-1"]))["image-1"].state is BuildState.CANCELLED


async def test_lists_are_newest_first(any_store: Store) -> None:
    for key, at in ((ONE, NOW), (TWO, NOW + SECOND), (Key(11, 3), None), (OTHER, NOW + 2 * SECOND)):
        await any_store.save(Record(key, triggered_at=at))
    assert [each.key for each in await any_store.records()] == [OTHER, TWO, ONE, Key(11, 3)]
    assert [each.key for each in await any_store.records(11)] == [TWO, ONE, Key(11, 3)]
    for name, at in (("r1", NOW), ("r3", NOW + 2 * SECOND), ("r2", NOW + SECOND)):
        await any_store.save_release(replace(RELEASE, revision=name, started_at=at))
    assert [each.revision for each in await any_store.releases(ONE)] == ["r3", "r2", "r1"]


async def test_a_build_that_is_over_does_not_run_again_because_somebody_says_so_late(any_store: Store) -> None:
    running = replace(BUILD, state=BuildState.RUNNING, finished_at=None)
    await any_store.save_build(running)
    await any_store.save_build(replace(running, step="COPY"))
    assert (await any_store.builds(["image-1"]))["image-1"].step == "COPY"
    await any_store.save_build(BUILD)
    await any_store.save_build(running)
    assert await any_store.find_log("log-1") == BUILD


async def test_the_newest_build_of_an_image_counts(any_store: Store) -> None:
    for log, at in (("log-b", NOW + SECOND), ("log-c", NOW), ("log-a", NOW - SECOND)):
        await any_store.save_build(replace(BUILD, log=log, started_at=at))
    assert (await any_store.builds(["image-1"]))["image-1"].log == "log-b"


async def test_forgetting_an_environment_leaves_the_others_alone(any_store: Store) -> None:
    for key in (ONE, TWO):
        await any_store.save(replace(RECORD, key=key))
        await any_store.save_release(replace(RELEASE, key=key))
        await any_store.save_build(replace(BUILD, key=key, log=f"log-{key}", image=str(key)))
        await any_store.accept(Delivery(str(key), "x", NOW), (), [Ask(key.number, key, "ann", Command.HELP)])
    await any_store.forget(ONE)
    assert await any_store.load(ONE) == Record(ONE)
    assert (await any_store.releases(ONE), await any_store.asks(ONE)) == ((), ())
    assert list(await any_store.builds([str(ONE), str(TWO)])) == [str(TWO)]
    assert await any_store.load(TWO) == replace(RECORD, key=TWO)
    assert len(await any_store.releases(TWO)) == len(await any_store.asks(TWO)) == 1


async def test_a_host_name_belongs_to_whoever_claimed_it_first(any_store: Store) -> None:
    assert set(await any_store.claim(ONE, ["a", "b"])) == {"a", "b"}
    assert set(await any_store.claim(TWO, ["b", "c"])) == {"c"}
    assert set(await any_store.claim(ONE, ["b", "a"])) == {"a", "b"}
    assert not await any_store.claim(ONE, [])
    assert [await any_store.find_host(name) for name in "abc"] == [ONE, ONE, TWO]
    await any_store.release_hosts(ONE)
    assert [await any_store.find_host(name) for name in "abc"] == [None, None, TWO]
    assert set(await any_store.claim(TWO, ["b"])) == {"b"}


async def test_an_image_is_unused_once_nobody_wanted_it_for_long(any_store: Store) -> None:
    await any_store.use_images(["a", "b", "a"], NOW)
    await any_store.use_images(["b", "c"], NOW + 10 * SECOND)
    await any_store.use_images(["b"], NOW + 5 * SECOND)
    await any_store.use_images([], NOW)
    assert await any_store.unused_images(NOW) == ()
    assert await any_store.unused_images(NOW + 10 * SECOND) == ("a",)
    assert set(await any_store.unused_images(NOW + 11 * SECOND)) == {"a", "b", "c"}


async def test_text_that_a_database_cannot_hold_is_stored_without_it(any_store: Store) -> None:
    await any_store.save_build(replace(BUILD, lines=("a\0b", "c\ud800d", "é 😀")))
    await any_store.accept(Delivery("i\0d", "e\ud800", NOW), [ONE], [Ask(1, ONE, "an\0n", Command.HELP)])
    found = await any_store.find_log("log-1")
    assert found is not None
    assert found.lines == ("a\ufffdb", "c\ufffdd", "é 😀")
    assert [ask.login for ask in await any_store.asks(ONE)] == ["an\ufffdn"]


async def test_a_forgotten_image_is_not_unused_any_more_unless_it_was_wanted_meanwhile(any_store: Store) -> None:
    await any_store.use_images(["a", "b", "c"], NOW)
    await any_store.use_images(["b"], NOW + 10 * SECOND)
    await any_store.forget_images([], NOW + 5 * SECOND)
    assert set(await any_store.unused_images(NOW + 11 * SECOND)) == {"a", "b", "c"}
    await any_store.forget_images(["a", "b", "unknown"], NOW + 5 * SECOND)
    assert set(await any_store.unused_images(NOW + 11 * SECOND)) == {"b", "c"}
    await any_store.forget_images(["b", "c"] * 2, NOW + 11 * SECOND)
    assert await any_store.unused_images(NOW + 11 * SECOND) == ()


async def test_thousands_of_images_are_forgotten_at_once(any_store: Store) -> None:
    images = [f"image-{number}" for number in range(40_000)]
    await any_store.use_images(images, NOW)
    await any_store.forget_images(images, NOW + SECOND)
    assert await any_store.unused_images(NOW + SECOND) == ()
