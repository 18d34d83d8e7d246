"""The table in the comment: how each service is, and how its image came about."""

from __future__ import annotations

from datetime import timedelta

from previewbot.core.model import BuildRecord, BuildState, InstanceState, ReleaseSpec, ServiceLine, ServiceSpec
from previewbot.core.situation import Situation


def has_failed(situation: Situation, build: BuildRecord) -> bool:
    """Whether a build is over, and nothing came of it."""
    return build.state is BuildState.FAILED and build.image not in situation.building


def line(situation: Situation, release: ReleaseSpec, service: ServiceSpec) -> ServiceLine:
    """Tell of one service of the release that should run."""
    remembered = situation.builds.get(service.image)
    return ServiceLine(
        name=service.name,
        url=release.urls.get(service.name),
        state=_service_state(situation, release, service),
        image=_origin(situation, release, service, remembered),
        has_port=service.port is not None,
    )


def _service_state(situation: Situation, release: ReleaseSpec, service: ServiceSpec) -> str:
    if service.build and service.image not in situation.digests:
        remembered = situation.builds.get(service.image)
        return "failed" if remembered and has_failed(situation, remembered) else "building"
    running = situation.observed.release(release.revision)
    instances = running.of(service.name) if running else ()
    if any(each.state is InstanceState.FAILED for each in instances):
        return "failed"
    if service.is_laid and instances:
        return "by timetable" if service.schedule else "on demand"
    ready = len(instances) >= service.replicas and all(each.state is InstanceState.READY for each in instances)
    return "ready" if ready else "starting" if instances else "waiting"


def _origin(situation: Situation, release: ReleaseSpec, service: ServiceSpec, remembered: BuildRecord | None) -> str:
    """How the image came about, once it is there."""
    if service.build is None:
        return f"`{service.image}`"
    if service.image not in situation.digests or remembered is None or remembered.took is None:
        return ""
    if remembered.commit == release.commit:
        return f"built in {seconds(remembered.took)}"
    return f"reused, unchanged since `{remembered.commit[:7]}`"


def seconds(length: timedelta) -> str:
    """Say a length of time as people measure it: ``0.4 s``, ``14 s``, ``2 min 5 s``."""
    whole = length.total_seconds()
    if whole < 10:  # noqa: PLR2004 - below that, a tenth matters
        return f"{whole:.1f} s"
    if whole < 120:  # noqa: PLR2004 - below that, minutes are harder to read
        return f"{whole:.0f} s"
    return f"{whole // 60:.0f} min {whole % 60:.0f} s"
