"""The names and labels of everything of ours in a cluster. Labels say whose a thing is; names only keep it unique."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from previewbot.core.ids import Key, digest, host_label

MANAGER = "previewbot"
"""Our field manager, and the value of the label that says so."""
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "previewbot.dev/instance"
KEY = "previewbot.dev/key"
REVISION = "previewbot.dev/revision"
SERVICE = "previewbot.dev/service"
RESOURCE = "previewbot.dev/resource"
RUN = "previewbot.dev/run"
"""On each run of a job that is laid: its name."""
SCHEDULE = "previewbot.dev/schedule"
LAID = "previewbot.dev/laid"
"""On a job that waits for its time, as long as nobody changed it: such a job is suspended."""
ASLEEP = "previewbot.dev/asleep"
"""On what waits for its secrets: nothing of it runs yet."""
VOLUME = "previewbot.dev/volume"
GIVEN = "previewbot.dev/given-"
"""How the annotations of a namespace begin that mark what was handed into it."""
SEAL = "previewbot.dev/seal"
"""The annotation with the hash of what we applied; see ``drift``."""

_GENERATIONS = 20
_REVISION_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Names:
    """How one instance of previewbot names its things."""

    instance: str

    def namespaces(self, key: Key) -> Iterator[str]:
        """Yield the names that an environment's namespace may have: a new generation where one is still in use."""
        first = f"preview-pr-{key.number}-{key.repository}-{digest(self.instance, length=4)}"
        yield first
        for generation in range(2, _GENERATIONS + 1):
            yield f"{first}-{generation}"

    def labels(self, key: Key | None = None, revision: str | None = None, service: str | None = None) -> dict[str, str]:
        """Label a thing of this instance, an environment, a release, a service."""
        made = {MANAGED_BY: MANAGER, INSTANCE: self.instance}
        if key is not None:
            made[KEY] = str(key)
        if revision is not None:
            made[REVISION] = revision
        if service is not None:
            made[SERVICE] = service
        return made

    @property
    def selector(self) -> str:
        """Ask the cluster for everything of this instance."""
        return ",".join(f"{name}={value}" for name, value in self.labels().items())


def object_name(service: str, revision: str) -> str:
    """Name what belongs to one service of one release."""
    return host_label(service, revision[:_REVISION_DIGITS])


def key_of(labels: Mapping[str, str] | None) -> Key | None:
    """Read the key from a thing's labels."""
    return Key.parse((labels or {}).get(KEY, ""))
