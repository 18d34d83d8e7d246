"""Amounts as a real API server keeps them: whatever previewbot reads is written just so."""

from __future__ import annotations

from pathlib import Path

import pytest

from previewbot.adapters.kubernetes import connect
from previewbot.adapters.kubernetes.api import Request
from previewbot.adapters.kubernetes.kinds import QUOTA
from tests.core.test_quantity import KEPT

pytestmark = pytest.mark.cluster


async def test_every_amount_is_read_as_the_api_server_keeps_it(kubeconfig: Path) -> None:
    api = await connect(kubeconfig)
    told: dict[str, str] = {}
    try:
        for written in (each for each in KEPT if not each.startswith("-")):
            quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "amount"}}
            body = {**quota, "spec": {"hard": {"limits.memory": written}}}
            made = await api._object(Request("POST", QUOTA.path("default"), query={"dryRun": "All"}, body=body))
            told[written] = made["spec"]["hard"]["limits.memory"]
    finally:
        await api.close()
    assert told == {written: kept for written, kept in KEPT.items() if not written.startswith("-")}
