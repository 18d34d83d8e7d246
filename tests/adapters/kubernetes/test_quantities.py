"""Amounts at a real API server: as previewbot writes them, they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from previewbot.adapters.kubernetes import connect
from previewbot.adapters.kubernetes.connection import Request
from previewbot.adapters.kubernetes.kinds import QUOTA
from tests.core.test_quantity import KEPT

pytestmark = pytest.mark.cluster


async def test_every_amount_stays_as_it_was_read(kubeconfig: Path) -> None:
    """The server leaves some ways to write one alone, and brings others into its own: there is none to rely on."""
    api = await connect(kubeconfig)
    told: dict[str, str] = {}
    try:
        for written in (each for each in KEPT.values() if not each.startswith("-")):
            quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "amount"}}
            body = {**quota, "spec": {"hard": {"limits.memory": written}}}
            made = await api.connection.object(
                Request("POST", QUOTA.path("default"), query={"dryRun": "All"}, body=body)
            )
            told[written] = made["spec"]["hard"]["limits.memory"]
    finally:
        await api.close()
    assert told == {each: each for each in told}
