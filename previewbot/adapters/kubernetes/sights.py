"""What the copy of the cluster shows of an environment's releases, in core's words. It asks the cluster nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, JOB, POD, REACH, SERVICE, Thing
from previewbot.adapters.kubernetes.losses import Losses
from previewbot.adapters.kubernetes.marks import berth_of, is_asleep, run_of
from previewbot.adapters.kubernetes.mirror import Mirror
from previewbot.adapters.kubernetes.names import RESOURCE, REVISION
from previewbot.adapters.kubernetes.options import Patience
from previewbot.adapters.kubernetes.reach import count_reached, without_unreached
from previewbot.adapters.kubernetes.verdicts import Sight, judge, judge_job
from previewbot.core.model import Instance, Run, Running


@dataclass(slots=True)
class _Album:
    """What was seen so far, by the revision."""

    instances: dict[str, list[Instance]]
    runs: dict[str, list[Run]] = field(default_factory=dict)
    looks: list[datetime] = field(default_factory=list)
    """When time alone may change it."""

    def add(self, instances: list[Instance], sight: Sight) -> None:
        """Take in what is seen of one service."""
        instances.extend(sight.instances)
        self.looks += [sight.look_at] if sight.look_at else []


@dataclass(frozen=True, slots=True)
class Sights:
    """Everything that is looked at."""

    mirror: Mirror
    patience: Patience
    losses: Losses

    def releases(
        self, namespace: str, now: datetime, drifted: frozenset[str]
    ) -> tuple[tuple[Running, ...], datetime | None]:
        """The releases of one namespace, and when time alone may change them."""
        pods = self.mirror.of(POD, namespace)
        resources = self._resources(namespace)
        revisions = {berth_of(each)[0] for each in self.mirror.of(SERVICE, namespace)}
        # A resource is there until its last pod is gone: its successor uses the same files.
        album = _Album({revision: [] for revision in (*revisions, *resources)})
        lost = {berth_of(pod)[0]: at for pod in pods if (at := self.losses.look_at(pod, now))}
        drifted |= {revision for revision, at in lost.items() if at <= now}
        album.looks += [at for at in lost.values() if at > now]
        self._see(album, namespace, now)
        seen = tuple(
            Running(
                revision,
                tuple(sorted(found, key=_order)),
                drifted=revision in drifted,
                resource=resources.get(revision),
                runs=tuple(sorted(album.runs.get(revision, ()), key=lambda each: (each.service, each.name))),
            )
            for revision, found in sorted(album.instances.items())
        )
        return seen, min(album.looks, default=None)

    def _see(self, album: _Album, namespace: str, now: datetime) -> None:
        pods: dict[tuple[str, str], list[Thing]] = {}
        for pod in self.mirror.of(POD, namespace):
            pods.setdefault(berth_of(pod), []).append(pod)
        counts = count_reached(self.mirror.of(REACH, namespace))
        services = {berth_of(each): each["metadata"]["name"] for each in self.mirror.of(SERVICE, namespace)}
        reached = {berth: counts.get(name, 0) for berth, name in services.items()}
        for deployment in self.mirror.of(DEPLOYMENT, namespace):
            berth = berth_of(deployment)
            own = album.instances.setdefault(berth[0], [])
            if is_asleep(deployment):
                continue
            sight = judge(deployment, pods.get(berth, ()), now, self.patience)
            album.add(own, without_unreached(sight, reached[berth]) if berth in reached else sight)
        for job in self.mirror.of(JOB, namespace):
            berth, name = berth_of(job), run_of(job)
            mine = [each for each in pods.get(berth, ()) if run_of(each) == name]
            sight = judge_job(job, mine, now, self.patience)
            if name is not None:
                (each,) = sight.instances
                album.runs.setdefault(berth[0], []).append(Run(each.service, name, each.state, each.detail))
                continue
            own = album.instances.setdefault(berth[0], [])
            if not is_asleep(job):
                album.add(own, sight)

    def _resources(self, namespace: str) -> Mapping[str, str]:
        """Those releases that are resources: revision to the name of the resource."""
        things = (each for kind in (SERVICE, POD) for each in self.mirror.of(kind, namespace))
        labels = [each["metadata"].get("labels") or {} for each in things]
        return {each.get(REVISION, ""): each[RESOURCE] for each in labels if RESOURCE in each}


def _order(instance: Instance) -> tuple[str, int]:
    return instance.service, instance.index
