"""What an environment uses of a cloud instead of servers of its own: names by convention, and how an app reaches it.

A name is made of what only one environment has, so two never meet, and says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from previewbot.core.blueprint import Resource, ResourceType
from previewbot.core.ids import Key, digest
from previewbot.core.secrets import Template, Versions, credentials

TYPES = (ResourceType.STORAGE, ResourceType.QUEUE)
"""What a cloud can be asked for."""
_LONGEST = 63
"""Letters of a bucket's name; queues and users may have more."""
_LONGEST_KEY = 24


@dataclass(frozen=True, slots=True)
class Cloud:
    """The operator's account, and what of it environments may use."""

    account: str
    region: str
    prefix: str
    """How every name begins."""
    instance: str
    types: frozenset[ResourceType] = frozenset()
    endpoint_url: str | None = None
    """Instead of AWS's own addresses."""

    def head(self, key: Key) -> str:
        """How every name of an environment begins: nobody else's does."""
        own = digest("cloud-1", self.account, self.instance, str(key), length=12)
        return "-".join((self.prefix, *((str(key),) if len(str(key)) <= _LONGEST_KEY else ()), own, ""))

    def key_of(self, name: str) -> Key | None:
        """Whose a name is; ``None`` where it is of another previewbot, or no name of anything that is made."""
        key = Key.parse("-".join(name.removeprefix(f"{self.prefix}-").split("-")[:3]))
        return key if key and name.startswith(self.head(key)) else None

    def name(self, key: Key, resource: str) -> str:
        """The name of a resource, and of the user who alone may use it."""
        head = self.head(key)
        room = _LONGEST - len(head)
        tail = resource if len(resource) <= room else f"{resource[: room - 7]}-{digest(resource, length=6)}"
        return f"{head}{tail}"

    def has(self, resource: Resource) -> bool:
        """Whether a resource is a part of it."""
        return resource.type in self.types

    def fields(self, resource: Resource, key: Key, versions: Versions) -> Mapping[str, Template]:
        """What a reference can ask for."""
        name = self.name(key, resource.name)
        access_key, secret_key = ((versions.made(each),) for each in credentials(resource.name))
        told: dict[str, Template] = {"access_key": access_key, "secret_key": secret_key, "region": (self.region,)}
        if resource.type is ResourceType.STORAGE:
            own, virtual = self._endpoint("s3"), f"https://{name}.s3.{self.region}.amazonaws.com"
            return told | {
                "endpoint": (own,),
                "bucket": (name,),
                "url": (f"{own}/{name}" if self.endpoint_url else virtual,),
            }
        own = self._endpoint("sqs")
        return told | {"endpoint": (own,), "name": (name,), "url": (f"{own}/{self.account}/{name}",)}

    def _endpoint(self, service: str) -> str:
        return self.endpoint_url or f"https://{service}.{self.region}.amazonaws.com"
