"""What of an environment somebody else changed, found out anew only where anything changed at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from previewbot.adapters.kubernetes import drift, enclosure, workload
from previewbot.adapters.kubernetes.findings import Findings
from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, JOB, SERVICE, SLICE, Thing, kind_of
from previewbot.adapters.kubernetes.marks import berth_of, is_laid
from previewbot.adapters.kubernetes.mirror import Mirror
from previewbot.adapters.kubernetes.place import Place
from previewbot.core.ids import Key


@dataclass(frozen=True, slots=True)
class Changed:
    """Whether that is the fence, and which releases; ``outdated``: nobody changed the fence, and it is not today's."""

    fence: bool
    outdated: bool
    revisions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of every environment."""

    mirror: Mirror
    place: Callable[[Key, str], Place]
    """The namespace of an environment, and of that name."""
    known: Findings[Changed] = field(default_factory=Findings)

    def of(self, key: Key, namespace: Thing) -> Changed:
        """What is changed in one namespace."""
        name = namespace["metadata"]["name"]
        kinds = (*enclosure.KINDS, DEPLOYMENT, JOB, SERVICE)
        things = [namespace, *(thing for kind in kinds for thing in self.mirror.of(kind, name))]
        things += self.mirror.of(SLICE, "default")
        place = self.place(key, name)
        return self.known.recall(
            key, things, lambda: Changed(*self._fence(place, namespace), self._revisions(name)), beside=place.handed
        )

    def forget(self, key: Key) -> None:
        """Keep nothing of an environment that is gone."""
        self.known.forget(key)

    def _revisions(self, namespace: str) -> frozenset[str]:
        services = {berth_of(each): each for each in self.mirror.of(SERVICE, namespace)}
        deployments = self.mirror.of(DEPLOYMENT, namespace)
        changed = [each for each in deployments if _has_changed(each, services.get(berth_of(each)))]
        changed += [each for each in self.mirror.of(JOB, namespace) if is_laid(each) and drift.has_drifted(each)]
        return frozenset(berth_of(each)[0] for each in changed)

    def _fence(self, place: Place, namespace: Thing) -> tuple[bool, bool]:
        """Whether anything around the programs is gone or changed, or else not what is wanted now.

        One that is still being built is neither.
        """
        if not self.mirror.api_server() or drift.is_sealed(namespace) is None:
            return False, False
        wanted = [enclosure.namespace(place), *enclosure.enclosure(place)]
        found = [namespace, *(self._find(each) for each in wanted[1:])]
        if all(drift.is_up_to_date(each, manifest) for each, manifest in zip(found, wanted, strict=True)):
            return False, False
        changed = any(each is None or drift.has_drifted(each) for each in found)
        return changed, not changed

    def _find(self, manifest: Thing) -> Thing | None:
        about = manifest["metadata"]
        return self.mirror.find(kind_of(manifest), about.get("namespace", ""), about["name"])


def _has_changed(deployment: Thing, service: Thing | None) -> bool:
    has_port = bool(deployment["spec"]["template"]["metadata"].get("annotations", {}).get(workload.PORT))
    return drift.has_drifted(deployment) or (has_port and (service is None or drift.has_drifted(service)))
