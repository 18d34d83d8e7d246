"""Looking at an environment: everything that the engine lists, and a closer look at what the list does not tell.

A look is on the way of every step of a release, so nothing is asked twice that cannot have changed: what is laid was
never started, a job that ended is never started again, and of what else would have changed, events tell (``known``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from previewbot.adapters.docker import facts
from previewbot.adapters.docker.deadlines import Deadlines
from previewbot.adapters.docker.facts import Facts
from previewbot.adapters.docker.inventory import Inventory, Thing, Things, counts
from previewbot.adapters.docker.known import Known
from previewbot.adapters.docker.labels import INDEX, LAID, REVISION, RUN, SCHEDULE, SERVICE
from previewbot.adapters.docker.watch import judge_job
from previewbot.adapters.docker.watches import Watches
from previewbot.adapters.together import every
from previewbot.core.blueprint import Schedule
from previewbot.core.ids import Key
from previewbot.core.model import Instance, InstanceState, Observed, Run, Running


class Sights:
    """What is seen of every environment."""

    def __init__(self, inventory: Inventory, watches: Watches, deadlines: Deadlines, known: Known) -> None:
        self._inventory = inventory
        self._known = known
        self._watches = watches
        self._deadlines = deadlines
        self._over: dict[Key, Mapping[str, Facts]] = {}
        """Jobs that ended, by their containers."""

    async def observe(self, key: Key) -> Observed:
        """See ``Runtime.observe``. A container that neither runs nor will by itself is no instance, but for a job's."""
        things = await self._inventory.things(key)
        seen = await self._look(key, things)
        ids = [each["Id"] for each in things.containers]
        self._watches.keep_only(key, ids)
        self._deadlines.keep_only(key, ids)
        for each in seen:
            self._deadlines.watch(key, each)
        instances = await every(self._instance(key, each) for each in seen if RUN not in each.labels)
        runs = [each for each in seen if RUN in each.labels]
        owners = {each["Id"]: things.releases(each) for each in things.containers}
        resources = things.resources
        releases = tuple(
            Running(
                revision,
                tuple(sorted((each for own, each in instances if revision in owners[own]), key=_order)),
                runs=tuple(sorted((_run(each) for each in runs if each.labels.get(REVISION) == revision), key=_began)),
                resource=resources.get(revision),
                is_joined=things.is_joined(revision),
            )
            for revision in things.revisions
        )
        return Observed(releases=releases, leftovers=things.leftovers, volumes=frozenset(things.kept))

    async def _look(self, key: Key, things: Things) -> Sequence[Facts]:
        over = self._over.get(key, {})
        found = await every(self._facts(each, over) for each in things.containers if counts(each))
        seen = [each for each in found if each and (each.is_alive or each.is_job)]
        ended = {each.id: each for each in seen if each.is_job and each.status == "exited"}
        if ended:
            self._over[key] = ended
        else:
            self._over.pop(key, None)
        return seen

    async def _facts(self, listed: Thing, over: Mapping[str, Facts]) -> Facts | None:
        if LAID in listed["Labels"]:
            return facts.laid(listed)
        known = over.get(listed["Id"]) if listed["State"] == "exited" else None
        if known := known or self._known.find(listed):
            return known
        asked = self._known.moment
        found = await self._inventory.inspect(listed["Id"])
        self._known.keep(found, asked)
        return found

    async def _instance(self, key: Key, found: Facts) -> tuple[str, Instance]:
        """Read the instance that a container is, beside the container's ID."""
        verdict = judge_job(found) if found.is_job else await self._watches.judge(key, found)
        return found.id, Instance(
            service=found.labels.get(SERVICE, ""),
            index=int(found.labels.get(INDEX, "0")),
            state=verdict.state,
            address=str(found.address) if found.address else None,
            detail=verdict.detail if verdict.state is InstanceState.FAILED else None,
            schedule=Schedule.read(found.labels[SCHEDULE]) if SCHEDULE in found.labels else None,
        )


def _order(instance: Instance) -> tuple[str, int]:
    return instance.service, instance.index


def _run(found: Facts) -> Run:
    verdict = judge_job(found)
    detail = verdict.detail if verdict.state is InstanceState.FAILED else None
    return Run(found.labels.get(SERVICE, ""), found.labels[RUN], verdict.state, detail)


def _began(run: Run) -> tuple[str, str]:
    return run.service, run.name
