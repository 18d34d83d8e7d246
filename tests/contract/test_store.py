"""What every store promises, shown on real databases: SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from previewbot.adapters.store import describe
from previewbot.core.ids import Key, Survey
from previewbot.core.model import Ask, AskState, Command
from previewbot.ports import Delivery, Store

NOW = datetime(2031, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ONE, TWO = Key(11, 1), Key(11, 2)


def delivery(id: str, at: datetime = NOW) -> Delivery:
    return Delivery(id, "pull_request", at)


async def test_a_delivery_is_accepted_once(any_store: Store) -> None:
    ask = Ask(5, ONE, "ann", Command.REDEPLOY)
    assert await any_store.accept(delivery("d"), [ONE], [ask])
    assert await any_store.asks(ONE) == (ask,)
    assert not await any_store.accept(delivery("d"), [TWO], [replace(ask, id=6)])
    assert await any_store.depth(NOW) == 1
    assert await any_store.asks(ONE) == (ask,)


async def test_a_delivery_that_comes_many_times_at_once_is_accepted_once(any_store: Store) -> None:
    accepted = await asyncio.gather(*(any_store.accept(delivery(f"d{n % 5}"), [Key(1, n + 1)], ()) for n in range(50)))
    assert sum(accepted) == 5
    assert await any_store.depth(NOW) == 5


async def test_a_delivery_that_cannot_be_stored_harms_no_other(any_store: Store) -> None:
    bad = Ask(2**80, ONE, "ann", Command.HELP)
    outcomes = await asyncio.gather(
        any_store.accept(delivery("good"), [ONE], ()),
        any_store.accept(delivery("bad"), [TWO], [bad]),
        any_store.accept(delivery("fine"), [ONE], ()),
        return_exceptions=True,
    )
    assert outcomes[0] is True
    assert isinstance(outcomes[1], Exception)
    assert outcomes[2] is True
    assert await any_store.depth(NOW) == 1


async def test_a_pruned_delivery_is_forgotten_and_a_younger_one_is_not(any_store: Store) -> None:
    await any_store.accept(delivery("old", NOW - SECOND), (), ())
    await any_store.accept(delivery("young"), (), ())
    await any_store.prune(NOW)
    assert await any_store.accept(delivery("old"), (), ())
    assert not await any_store.accept(delivery("young"), (), ())


async def test_an_ask_is_open_until_it_is_done_or_refused(any_store: Store) -> None:
    asks = [Ask(n, ONE, "ann", Command.REDEPLOY) for n in (3, 1, 2, 4)]
    await any_store.accept(delivery("d"), (), asks)
    await any_store.mark(asks[0], AskState.DONE)
    await any_store.mark(asks[1], AskState.SEEN)
    await any_store.mark(asks[2], AskState.REFUSED)
    assert [(ask.id, ask.state) for ask in await any_store.asks(ONE)] == [(1, AskState.SEEN), (4, AskState.NEW)]


async def test_what_an_ask_is_about_is_kept_while_its_job_runs(any_store: Store) -> None:
    ask = Ask(3, ONE, "ann", Command.RUN, argument="restock")
    await any_store.accept(delivery("d"), (), [ask])
    await any_store.mark(ask, AskState.BEGUN)
    assert await any_store.asks(ONE) == (replace(ask, state=AskState.BEGUN),)


async def test_a_comment_told_twice_is_the_ask_that_is_there_already(any_store: Store) -> None:
    ask = Ask(3, ONE, "ann", Command.REDEPLOY)
    await any_store.accept(delivery("a"), (), [ask])
    await any_store.mark(ask, AskState.DONE)
    assert await any_store.accept(delivery("b"), (), [ask])
    assert await any_store.asks(ONE) == ()


async def test_topics_are_leased_longest_due_first_and_only_when_due(any_store: Store) -> None:
    await any_store.add([ONE], NOW)
    await any_store.add([Survey(9)], NOW - 2 * SECOND)
    await any_store.add([TWO], NOW + SECOND)
    assert await any_store.next_due() == NOW - 2 * SECOND
    leases = [await any_store.lease(NOW) for _ in range(3)]
    assert [lease and lease.topic for lease in leases] == [Survey(9), ONE, None]
    later = await any_store.lease(NOW + SECOND)
    assert later is not None
    assert (later.topic, later.touched_at, later.attempt) == (TWO, NOW + SECOND, 1)


async def test_a_topic_added_twice_is_held_once_at_the_sooner_time(any_store: Store) -> None:
    await any_store.add([ONE, ONE], NOW)
    await any_store.add([ONE], NOW + SECOND)
    await any_store.add([ONE], NOW - SECOND)
    lease = await any_store.lease(NOW)
    assert lease is not None
    assert lease.touched_at == NOW - SECOND
    assert await any_store.lease(NOW) is None
    await any_store.settle(lease, due=None)
    assert await any_store.next_due() is None


async def test_the_database_describes_itself(any_store: Store, database_url: str) -> None:
    expected = {
        "sqlite": "sqlite, schema 0002, synchronous=FULL",
        "postgresql": "postgresql, schema 0002, synchronous_commit=on",
    }
    assert await any_store.check() == expected[database_url.partition(":")[0].removesuffix("+psycopg")]
    assert await describe(database_url) == await any_store.check()
