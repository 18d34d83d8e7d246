"""Writing to a cluster what a manifest says, and taking things away; the copy that looks are made of knows at once."""

from __future__ import annotations

from dataclasses import dataclass

from previewbot.adapters.kubernetes import drift
from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.kinds import Thing, kind_of
from previewbot.adapters.kubernetes.mirror import Mirror


@dataclass(frozen=True, slots=True)
class Writer:
    """The hands of whatever has things in a cluster."""

    api: Api
    mirror: Mirror

    def find(self, manifest: Thing) -> Thing | None:
        """The object that a manifest is about, where it is."""
        about = manifest["metadata"]
        return self.mirror.find(kind_of(manifest), about.get("namespace", ""), about["name"])

    async def apply(self, manifest: Thing) -> Thing:
        """Make an object just what a manifest says; one that already is costs no request."""
        found = self.find(manifest)
        if found is not None and drift.is_up_to_date(found, manifest):
            return found
        if found is not None and drift.has_additions(found):
            await self.api.replace(found, manifest)
        made = await self.api.apply(drift.seal(manifest))
        self.mirror.note(made)
        return made

    async def delete(self, thing: Thing) -> bool:
        """Take an object away; ``False`` where it was gone already."""
        deleted = await self.api.delete(thing)
        self.mirror.bury(thing)
        return deleted is not None
