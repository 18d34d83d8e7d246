"""A toy world that does what plans say, at once and in memory, so that convergence can be tried from every state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from previewbot.core import retry
from previewbot.core.actions import (
    Action,
    BidFarewell,
    CancelBuild,
    DeleteEnvironment,
    FailRelease,
    ForgetSecrets,
    Plan,
    Prepare,
    RemoveRelease,
    RemoveVolumes,
    Route,
    StartBuild,
    StartRelease,
)
from previewbot.core.blueprint import Kind
from previewbot.core.desire import Desired, Present
from previewbot.core.model import (
    BuildRecord,
    BuildState,
    Instance,
    InstanceState,
    Observed,
    Reason,
    Record,
    ReleaseRecord,
    ReleaseSpec,
    ReleaseState,
    Removed,
    Run,
    Running,
)
from previewbot.core.plan import plan
from previewbot.core.situation import Situation
from previewbot.core.stages import DESTROY_HOOK
from tests.core.facts import KEY, NOW

DRAIN = timedelta(seconds=3)


@dataclass
class Toy:
    """``bad_images`` fail to build; ``bad_revisions`` never become healthy."""

    now: datetime = NOW
    record: Record = field(default_factory=lambda: Record(KEY))
    images: set[str] = field(default_factory=set)
    building: dict[str, BuildRecord] = field(default_factory=dict)
    builds: dict[str, BuildRecord] = field(default_factory=dict)
    releases: dict[str, ReleaseRecord] = field(default_factory=dict)
    running: dict[str, list[Instance]] = field(default_factory=dict)
    prepared: set[str] = field(default_factory=set)
    routes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bad_images: set[str] = field(default_factory=set)
    bad_revisions: set[str] = field(default_factory=set)
    bad_services: set[str] = field(default_factory=set)
    trouble: Reason | None = None
    """What hinders every program that is started."""
    started: list[str] = field(default_factory=list)
    """Revisions, in their order."""
    begun: list[str] = field(default_factory=list)
    """Services, in their order."""
    farewells_end: bool = True
    farewells: list[tuple[str, str]] = field(default_factory=list)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)
    resources: dict[str, str] = field(default_factory=dict)
    """Revision to the name of the resource."""
    volumes: set[str] = field(default_factory=set)
    mounted: dict[str, frozenset[str]] = field(default_factory=dict)
    """Revision to the volumes that it mounts."""

    def situation(self, desired: Desired) -> Situation:
        wanted = {order.image for order in desired.orders} if isinstance(desired, Present) else set()
        return Situation(
            now=self.now,
            desired=desired,
            observed=Observed(
                releases=tuple(
                    Running(
                        name,
                        tuple(self.running.get(name, ())),
                        resource=self.resources.get(name),
                        runs=tuple(self.runs.get(name, ())),
                    )
                    for name in sorted(self.prepared | self.running.keys())
                ),
                volumes=frozenset(self.volumes),
                routes=dict(self.routes),
            ),
            record=self.record,
            digests={image: f"sha256:{image}" for image in wanted & self.images},
            building=dict(self.building),
            builds={image: each for image, each in self.builds.items() if image in wanted},
            releases=tuple(self.releases.values()),
            drain=DRAIN,
        )

    def step(self, desired: Desired) -> Plan:
        made = plan(self.situation(desired))
        for action in made.actions:
            self.act(action)
        self.record = replace(self.record, status=made.status)
        return made

    def pass_time(self) -> None:
        """Let everything that takes time come to its end."""
        self.now += DRAIN + timedelta(seconds=1)
        for image, build in list(self.building.items()):
            bad = image in self.bad_images
            state = BuildState.FAILED if bad else BuildState.SUCCEEDED
            self.builds[image] = replace(build, state=state, finished_at=self.now)
            if not bad:
                self.images.add(image)
        self.building.clear()
        for revision, service in self.farewells if self.farewells_end else ():
            self.runs[revision] = [Run(service, "farewell", InstanceState.DONE)]
        for revision, instances in self.running.items():
            ailing = revision in self.bad_revisions
            self.running[revision] = [self._grown(each, ailing=ailing) for each in instances]

    def _grown(self, instance: Instance, *, ailing: bool) -> Instance:
        if self.trouble and instance.state is not InstanceState.READY:
            return replace(instance, state=InstanceState.FAILED, detail="finds no room", reason=self.trouble)
        if ailing or instance.service in self.bad_services:
            return replace(instance, state=InstanceState.FAILED, detail="exits with code 1")
        if instance.service == DESTROY_HOOK:
            return replace(instance, state=InstanceState.LAID)
        return replace(instance, state=InstanceState.DONE if instance.service in self.jobs else InstanceState.READY)

    def act(self, action: Action) -> None:  # noqa: C901, PLR0912 - one arm for each action there is
        match action:
            case StartBuild(order):
                self.building[order.image] = BuildRecord(
                    order.image, KEY, order.service, order.commit, "log", BuildState.RUNNING, self.now
                )
            case CancelBuild(image):
                self.building.pop(image)
            case Prepare(revision):
                self.prepared.add(revision)
            case StartRelease(release, _, services):
                self._start(release, services)
            case FailRelease(release, reason, service, detail):
                self.running.pop(release.revision)
                self.prepared.discard(release.revision)
                tries = self.releases[release.revision].tries + 1
                more = {"reason": str(reason), "service": service, "detail": detail}
                self._remember(release, ReleaseState.FAILED, **more, tries=tries, failed_at=self.now)
            case Route(routes, release):
                self.routes = dict(routes)
                before = self.releases.get(release.revision) if release else None
                if release and (before is None or before.state is not ReleaseState.SERVING):
                    made = {"urls": release.urls, "spec": release, "digests": {}}
                    self._remember(release, ReleaseState.SERVING, served_at=self.now, **made)
            case RemoveRelease(revision):
                self.running.pop(revision, None)
                self.prepared.discard(revision)
                if revision in self.releases and self.releases[revision].state is ReleaseState.SERVING:
                    self.releases[revision] = replace(self.releases[revision], state=ReleaseState.RETIRED)
            case BidFarewell(revision, service):
                self.farewells.append((revision, service))
                self.runs.setdefault(revision, [Run(service, "farewell", InstanceState.STARTING)])
                self.record = replace(self.record, farewell=self.record.farewell or self.now)
            case RemoveVolumes(names):
                used = {volume for revision in self.running for volume in self.mounted.get(revision, ())}
                assert not used & names, "no server may run on a volume that goes"
                self.volumes -= names
            case ForgetSecrets():
                self.record = replace(self.record, keeps_secrets=False)
            case DeleteEnvironment():
                self.volumes.clear()
                taken = Removed(containers=sum(map(len, self.running.values())), networks=len(self.prepared))
                self.record = replace(self.record, removed=self.record.removed + taken)
                self.running.clear()
                self.prepared.clear()

    def _start(self, release: ReleaseSpec, services: Collection[str]) -> None:
        self.started.append(release.revision)
        self.volumes |= release.volumes
        self.mounted[release.revision] = release.volumes
        if release.resource:
            self.resources[release.revision] = release.resource
        self.prepared.add(release.revision)
        there = {each.service: each for each in self.running.get(release.revision, ())}
        self.running.setdefault(release.revision, []).extend(
            Instance(
                service.name, index, InstanceState.STARTING, f"127.0.0.1:{release.revision}-{service.name}-{index}"
            )
            for service in release.services
            if service.name in services and service.name not in there
            for index in range(service.replicas)
        )
        self.begun += sorted(each.name for each in release.services if each.name in services)
        self.jobs |= {each.name for each in release.services if each.kind is Kind.JOB}
        if release.revision not in self.releases or self.releases[release.revision].state is not ReleaseState.SERVING:
            self._remember(release, ReleaseState.STARTING)
        if release.resource:
            return
        hosts = {service.name: service.host for service in release.services if service.host}
        self.record = replace(self.record, hosts=hosts, created_at=self.record.created_at or self.now)

    def _remember(self, release: ReleaseSpec, state: ReleaseState, **more: object) -> None:
        made = ReleaseRecord(release.key, release.revision, release.commit, state, self.now, self.now)
        if state is ReleaseState.STARTING:
            made = retry.remember(made, self.releases.get(release.revision))
        self.releases[release.revision] = replace(made, **more)  # type: ignore[arg-type]


def settle(toy: Toy, desired: Desired, steps: int = 30) -> Plan:
    """Step until nothing is left to do, and prove that it stays so."""
    for _ in range(steps):
        made = toy.step(desired)
        if not made.actions and not toy.building and made.recheck is None:
            break
        toy.pass_time()
    else:
        raise AssertionError(f"not settled after {steps} steps: {made}")
    for _ in range(3):
        toy.pass_time()
        again = toy.step(desired)
        assert again == made, "a settled world stays settled, to the letter"
    return made
