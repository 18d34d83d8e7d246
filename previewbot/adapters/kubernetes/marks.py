"""What previewbot's own marks on a thing say: which service of which release it belongs to, and which part it plays."""

from __future__ import annotations

from collections.abc import Sequence

from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.names import ASLEEP, LAID, REVISION, RUN, SERVICE, VOLUME


def berth_of(thing: Thing) -> tuple[str, str]:
    """The revision of the release, and the name of the service; empty where it belongs to none."""
    labels = thing["metadata"].get("labels") or {}
    return labels.get(REVISION, ""), labels.get(SERVICE, "")


def volume_of(claim: Thing) -> str:
    """The name of a volume, as the blueprint's."""
    return str((claim["metadata"].get("labels") or {}).get(VOLUME, ""))


def run_of(thing: Thing) -> str | None:
    """The name of the run that it is or belongs to; ``None`` where it is no run of anything."""
    name: str | None = (thing["metadata"].get("labels") or {}).get(RUN)
    return name


def is_laid(job: Thing) -> bool:
    """Whether a job is only made ready, to be run when its time comes."""
    return LAID in (job["metadata"].get("annotations") or {})


def is_asleep(thing: Thing) -> bool:
    """Whether a workload waits for its secrets: it is still to be started."""
    return ASLEEP in (thing["metadata"].get("annotations") or {})


def claims_of(pod: Thing) -> Sequence[str]:
    """The names of the claims that a pod mounts."""
    mounts = (each.get("persistentVolumeClaim") for each in pod["spec"].get("volumes") or ())
    return [each["claimName"] for each in mounts if each]
