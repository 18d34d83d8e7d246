"""The namespaces that environments live in: made under a name that is free, fenced in, and mended.

One that does not carry our labels with the environment's key is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from previewbot.adapters.kubernetes import enclosure, handed
from previewbot.adapters.kubernetes.kinds import NAMESPACE, Thing, is_ending
from previewbot.adapters.kubernetes.names import Names
from previewbot.adapters.kubernetes.options import Options
from previewbot.adapters.kubernetes.place import Handed, Place
from previewbot.adapters.kubernetes.writer import Writer
from previewbot.adapters.together import every
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Reason


@dataclass(frozen=True, slots=True)
class Homes:
    """Every environment's namespace; ``handed`` says what each is to be given now."""

    writer: Writer
    names: Names
    options: Options
    handed: Callable[[], Handed]

    async def enclose(self, key: Key) -> Place:
        """Make the namespace and its fence, or mend them."""
        if not self.writer.mirror.api_server():
            raise Transient("The cluster does not say where its own API is (EndpointSlice kubernetes in default).")
        place = self.place(key, self.writer.mirror.home(key) or await self._create(key))
        fence = enclosure.enclosure(place)
        given = handed.secrets(place, self.writer.mirror.find(NAMESPACE, "", place.namespace))
        # Never watched nor read back: previewbot needs no right to read secrets.
        writes = (self.writer.api.apply(each) for each in given)
        await every([*writes, *(self.writer.apply(each) for each in fence)])
        await every(self.writer.delete(each) for each in self._strays(place, fence))
        # Sealed last: a namespace with a seal is one whose fence was closed once, and which has what its marks say.
        await self.writer.apply(enclosure.namespace(place))
        return place

    def place(self, key: Key, namespace: str) -> Place:
        """Say where the things of an environment go that lives in a namespace."""
        return Place(self.names, key, namespace, self.options, self.writer.mirror.api_server(), self.handed())

    def _strays(self, place: Place, fence: Sequence[Thing]) -> Sequence[Thing]:
        """What an older previewbot put around the programs and this one does not."""
        wanted = {(each["kind"], each["metadata"]["name"]) for each in fence}
        found = [thing for kind in enclosure.KINDS for thing in self.writer.mirror.of(kind, place.namespace)]
        return [each for each in found if (each["kind"], each["metadata"]["name"]) not in wanted]

    async def _create(self, key: Key) -> str:
        """Make a namespace of a name that nobody has, or take one of ours that was made meanwhile; returns its name."""
        for name in self.names.namespaces(key):
            made = await self.writer.api.create(enclosure.namespace(replace(self.place(key, name), handed=Handed())))
            if made is None:
                found = await self.writer.api.get(NAMESPACE, None, name)
                if found and not is_ending(found) and self._owns(found, key):
                    made = found
            if made:
                self.writer.mirror.note(made)
                return name
        raise Refused(
            Reason.RUNTIME_REFUSED,
            f"All names that the namespace of {key} may have are taken by namespaces that are not previewbot's "
            "or that the cluster cannot finish deleting; none was touched.",
        )

    def _owns(self, thing: Thing, key: Key) -> bool:
        return self.names.labels(key).items() <= (thing["metadata"].get("labels") or {}).items()
