"""What GitHub still takes is what its last answers said, for as long as that holds."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from previewbot.adapters.github.allowances import Allowances
from previewbot.adapters.github.budget import Budget
from tests.adapters.github.scripted import NOW

SOON = int((NOW + timedelta(minutes=10)).timestamp())


def headers(remaining: str, reset: object = SOON, **more: str) -> httpx.Headers:
    return httpx.Headers({"x-ratelimit-remaining": remaining, "x-ratelimit-reset": str(reset)} | more)


def test_the_installation_that_has_fewest_left_counts() -> None:
    left = Allowances()
    assert left.scarcest(NOW) is None
    left.note(1, headers("4000"))
    left.note(2, headers("30"))
    assert left.scarcest(NOW) == 30
    left.note(2, headers("29"))
    assert left.scarcest(NOW) == 29


def test_what_was_renewed_meanwhile_is_not_known() -> None:
    left = Allowances()
    left.note(1, headers("0"))
    assert left.scarcest(NOW + timedelta(minutes=10)) is None


@pytest.mark.parametrize(
    "said",
    [
        httpx.Headers(),
        headers("-1"),
        headers("5 000"),
        headers("many"),
        headers("5", "tomorrow"),
        headers("5", **{"x-ratelimit-resource": "search"}),
    ],
)
def test_other_limits_and_nonsense_are_passed_over(said: httpx.Headers) -> None:
    left = Allowances()
    left.note(1, headers("4000"))
    left.note(1, said)
    assert left.scarcest(NOW) == 4000


def test_an_absurd_time_is_no_error() -> None:
    left = Allowances()
    left.note(1, headers("9" * 40, "9" * 40))
    assert left.scarcest(NOW)


def test_writes_are_counted_for_an_hour_and_none_is_left_while_github_has_had_enough() -> None:
    budget = Budget(per_hour=3)
    assert budget.left(NOW) == 3
    budget.take(NOW, final=True)
    assert budget.left(NOW) == 2
    assert budget.left(NOW + timedelta(hours=1)) == 3
    budget.close(NOW + timedelta(minutes=1))
    assert budget.left(NOW) == 0
    assert budget.left(NOW + timedelta(minutes=1)) == 2
