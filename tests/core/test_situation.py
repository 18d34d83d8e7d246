"""What the programs of an environment may know, as far as anybody remembers it."""

from __future__ import annotations

from dataclasses import replace

from previewbot.core.model import Instance, InstanceState, Observed, ReleaseRecord, ReleaseState, Running
from previewbot.core.secrets import SHARED, Seal, SecretName
from previewbot.core.situation import held
from tests.core.facts import COMMIT, KEY, NOW

TOKEN, KEY_OF_OLD = (Seal(SecretName(SHARED, name), "1", own=False) for name in ("TOKEN", "OLD"))


def _running(revision: str, resource: str | None = None) -> Running:
    return Running(revision, (Instance("web", 0, InstanceState.READY),), resource=resource)


def _release(revision: str, *seals: Seal) -> ReleaseRecord:
    return ReleaseRecord(KEY, revision, COMMIT, ReleaseState.SERVING, NOW, NOW, seals=seals)


def test_it_is_what_every_release_that_runs_was_started_with_and_no_other() -> None:
    releases = (_release("new", TOKEN), _release("old", KEY_OF_OLD), _release("gone", Seal(TOKEN.name, "0", own=False)))
    observed = Observed((_running("new"), _running("old"), _running("db", "db"), Running("prepared", ())))
    assert held("shop", releases, observed, KEY).seals == frozenset({TOKEN, KEY_OF_OLD})


def test_where_something_runs_that_nobody_remembers_it_is_not_known() -> None:
    observed = Observed((_running("new"), _running("strange")))
    assert held("shop", (_release("new", TOKEN),), observed, KEY).seals is None


def test_what_only_goes_on_in_a_release_that_nobody_remembers_yet_is_known() -> None:
    observed = Observed((_running("new"), replace(_running("prepared"), is_joined=True)))
    assert held("shop", (_release("new", TOKEN),), observed, KEY).seals == frozenset({TOKEN})
