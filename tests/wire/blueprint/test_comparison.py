"""A person reads what differs between two environments in one table, and that nothing else does."""

from __future__ import annotations

from previewbot.core.parity import differences
from previewbot.wire.blueprint import compared
from tests.wire.blueprint.stack import STACK, made

SHOP = made(STACK)


def shown(left: str, right: str) -> list[str]:
    one, other = SHOP.environments[left], SHOP.environments[right]
    return list(compared(differences(SHOP, one, other), left, right))


def test_a_table_of_the_differences() -> None:
    assert shown("preview", "production") == [
        "                           preview         production",
        "environment      domain    the operator's  shop.example.com",
        "service web      size      small           large",
        "service web      replicas  1               3",
        "service nightly  schedule  off             on",
        "resource db      size      small           large",
        "resource db      backups   none            daily",
        (
            "Nothing else differs between preview and production of one commit, "
            "but for the values of secrets and references."
        ),
    ]


def test_environments_that_are_alike_say_so() -> None:
    assert shown("staging", "staging") == [
        "Nothing differs between staging and staging of one commit, but for the values of secrets and references."
    ]
