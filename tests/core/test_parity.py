"""Two environments differ in exactly what the blueprint declares for them."""

from __future__ import annotations

from previewbot.core.blueprint import (
    Blueprint,
    Environment,
    Kind,
    Override,
    Resource,
    ResourceType,
    Schedule,
    Service,
)
from previewbot.core.parity import Difference, differences, environment_of

PREVIEW = Environment("preview", services={"web": Override(replicas=1), "nightly": Override(schedule=False)})
PRODUCTION = Environment(
    "production",
    "shop.example.com",
    {"web": Override(size="large", replicas=3)},
    {"db": Override(size="large", backups="daily")},
)
SHOP = Blueprint(
    "shop",
    (
        Service("web", image="x", port=80, size="small"),
        Service("nightly", image="x", kind=Kind.CRON, schedule=Schedule("0 3 * * *")),
        Service("reindex", image="x", kind=Kind.JOB),
    ),
    resources=(Resource("db", ResourceType.POSTGRES, size="small", backups="weekly"),),
    environments={each.name: each for each in (PREVIEW, PRODUCTION)},
)


def test_what_differs_stands_in_the_order_of_the_file() -> None:
    assert differences(SHOP, PREVIEW, PRODUCTION) == (
        Difference("environment", "domain", None, "shop.example.com"),
        Difference("service web", "size", "small", "large"),
        Difference("service web", "replicas", 1, 3),
        Difference("service nightly", "schedule", left=False, right=True),
        Difference("resource db", "size", "small", "large"),
        Difference("resource db", "backups", None, "daily"),
    )


def test_what_is_declared_as_it_is_anyway_is_no_difference() -> None:
    one = Environment("a", services={"web": Override(replicas=1, size="small"), "nightly": Override(schedule=True)})
    assert not differences(SHOP, one, Environment("b"))


def test_previews_have_no_backups_whatever_the_resource_says() -> None:
    (found,) = differences(SHOP, Environment("preview"), Environment("staging"))
    assert found == Difference("resource db", "backups", None, "weekly")


def test_what_is_turned_around_differs_in_the_same() -> None:
    there, back = differences(SHOP, PREVIEW, PRODUCTION), differences(SHOP, PRODUCTION, PREVIEW)
    assert back == tuple(Difference(each.of, each.parameter, each.right, each.left) for each in there)


def test_the_environment_of_previews_is_always_there() -> None:
    assert environment_of(Blueprint("shop", ()), "preview") == Environment("preview")
    assert environment_of(SHOP, "preview") == PREVIEW
    assert environment_of(SHOP, "staging") is None
