"""Which webhook deliveries never arrived: a pure look at GitHub's list of attempts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from previewbot.adapters.github.shapes import DeliveryShape
from previewbot.ports import FailedDelivery


def never_arrived(attempts: Iterable[DeliveryShape], since: datetime) -> list[FailedDelivery]:
    """Name the newest attempt of each delivery that was tried since then and never answered with 2xx; oldest first."""
    attempts = tuple(attempts)
    arrived = {each.guid for each in attempts if each.status_code // 100 == 2}  # noqa: PLR2004 - any 2xx
    newest: dict[str, DeliveryShape] = {}
    for each in sorted(attempts, key=lambda each: (each.delivered_at, each.id)):
        if each.guid not in arrived and each.delivered_at >= since:
            newest[each.guid] = each
    return [FailedDelivery(each.id, each.guid, each.delivered_at) for each in newest.values()]
