"""Everything that a plan depends on: what should be, what is, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from previewbot.core.desire import Desired
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, Observed, Record, ReleaseRecord, ReleaseSpec, ReleaseState, Running
from previewbot.core.secrets import Seal


def last_good(releases: Sequence[ReleaseRecord], observed: Observed) -> ReleaseRecord | None:
    """The newest release that serves and is still there."""
    serving = [each for each in releases if each.state is ReleaseState.SERVING and observed.release(each.revision)]
    return max(serving, key=lambda each: each.served_at or each.started_at, default=None)


def serving(releases: Sequence[ReleaseRecord], observed: Observed) -> Running | None:
    """The release that serves, as it runs: the one whose jobs can be run."""
    good = last_good(releases, observed)
    return observed.release(good.revision) if good else None


@dataclass(frozen=True, slots=True)
class Held:
    """Which secrets the programs of an environment may know, and so may say."""

    key: Key
    app: str
    seals: frozenset[Seal] | None
    """``None``: nobody remembers those of something that runs."""


def held(app: str, releases: Sequence[ReleaseRecord], observed: Observed, key: Key) -> Held:
    """Gather the secrets of every release of an app that runs; a resource knows none but its environment's own."""
    known = {each.revision: each.seals for each in releases}
    apps = (each for each in observed.releases if each.instances and not each.resource and not each.is_joined)
    running = {each.revision for each in apps}
    seals = frozenset(seal for each in running & known.keys() for seal in known[each])
    return Held(key, app, seals if running <= known.keys() else None)


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at the world."""

    now: datetime
    desired: Desired
    observed: Observed
    record: Record
    digests: Mapping[str, str]
    """The wanted images that exist."""
    building: Mapping[str, BuildRecord]
    """The builds under way for this environment."""
    builds: Mapping[str, BuildRecord]
    """The newest remembered build of each wanted image."""
    releases: tuple[ReleaseRecord, ...]
    """Newest first."""
    drain: timedelta
    """How long an old release is kept for requests that it still answers."""

    def remembered(self, revision: str) -> ReleaseRecord | None:
        """What is remembered of a release."""
        return next((each for each in self.releases if each.revision == revision), None)

    @property
    def last_good(self) -> ReleaseRecord | None:
        """The newest release that serves and is still there."""
        return last_good(self.releases, self.observed)

    def superseding(self, release: ReleaseSpec) -> ReleaseRecord | None:
        """The release that still serves beside a newer one."""
        good = self.last_good
        return good if good and good.revision != release.revision else None

    def lived(self) -> timedelta | None:
        """How long the environment has been there."""
        return self.now - self.record.created_at if self.record.created_at else None
