"""Taking away what an environment has in a cluster: a release, volumes, or everything."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from previewbot.adapters.kubernetes.kinds import CLAIM, DEPLOYMENT, JOB, NAMESPACE, POD, SERVICE, Thing, is_ending
from previewbot.adapters.kubernetes.marks import berth_of, claims_of, volume_of
from previewbot.adapters.kubernetes.writer import Writer
from previewbot.adapters.together import every
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import Removed

_LAST_WORDS = timedelta(seconds=1)
"""How long a program may take to end when its whole environment goes."""


@dataclass(frozen=True, slots=True)
class Removals:
    """What is removed is looked up in the copy, so that has to be ready."""

    writer: Writer

    async def remove(self, key: Key, revision: str) -> Removed:
        """Take a release away."""
        mirror = self.writer.mirror
        home = mirror.home(key)
        if home is None:
            return Removed()
        programs = self._living(home, revision)
        kinds = (DEPLOYMENT, JOB, SERVICE)
        gone = [each for kind in kinds for each in mirror.of(kind, home) if berth_of(each)[0] == revision]
        deleted = await every(self.writer.delete(each) for each in gone)
        return Removed(containers=programs if any(deleted) else 0)

    async def remove_volumes(self, key: Key, names: Collection[str]) -> Removed:
        """Take volumes away that nobody uses any more."""
        mirror = self.writer.mirror
        home = mirror.home(key)
        if home is None:
            return Removed()
        found = [each for each in mirror.of(CLAIM, home) if volume_of(each) in names]
        used = {name for pod in mirror.of(POD, home) for name in claims_of(pod)}
        if any(each["metadata"]["name"] in used for each in found):
            # The cluster would wait for its users to end, and then there is no way back.
            raise Transient("A volume is still in use.")
        return Removed(volumes=sum(await every(self.writer.delete(each) for each in found)))

    async def delete(self, key: Key) -> Removed:
        """Ask for the end of every namespace of an environment."""
        removed = Removed()
        for namespace in self.writer.mirror.living(key):
            name = namespace["metadata"]["name"]
            programs = self._living(name)
            await self._hurry(name)
            answer = await self.writer.api.delete(namespace)
            if answer:
                removed += Removed(containers=programs, namespaces=1)
            if answer and answer["kind"] == NAMESPACE.name:
                self.writer.mirror.note(answer)
            else:
                await self._refresh(namespace)
        return removed

    async def _hurry(self, namespace: str) -> None:
        """End the programs first, and soon: left to the end of its namespace, each would have its whole time twice."""
        api, mirror = self.writer.api, self.writer.mirror
        await every(api.delete(each) for each in mirror.of(DEPLOYMENT, namespace))
        pods = [each for each in mirror.of(POD, namespace) if not is_ending(each)]
        await every(api.delete(each, grace=_LAST_WORDS) for each in pods)

    def _living(self, namespace: str, revision: str | None = None) -> int:
        """Count the programs that run or are about to."""
        deployments = self.writer.mirror.of(DEPLOYMENT, namespace)
        found = (each for each in deployments if revision in (None, berth_of(each)[0]))
        return sum(int(each["spec"].get("replicas", 1)) for each in found)

    async def _refresh(self, namespace: Thing) -> None:
        found = await self.writer.api.get(NAMESPACE, None, namespace["metadata"]["name"])
        if found and found["metadata"]["uid"] == namespace["metadata"]["uid"]:
            self.writer.mirror.note(found)
        else:
            self.writer.mirror.bury(namespace)
