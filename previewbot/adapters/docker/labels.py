"""The names and labels of everything of ours in the engine. Labels say whose a thing is; names only keep it unique."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from previewbot.core.blueprint import Health, Kind
from previewbot.core.ids import Key, digest, slug
from previewbot.core.model import ServiceSpec

INSTANCE = "previewbot.instance"
KEY = "previewbot.key"
REVISION = "previewbot.revision"
SERVICE = "previewbot.service"
INDEX = "previewbot.index"
IMAGE = "previewbot.image"
RESOURCE = "previewbot.resource"
VOLUME = "previewbot.volume"
LAID = "previewbot.laid"
"""On what is only made, and run when its time comes."""
SCHEDULE = "previewbot.schedule"
EDITION = "previewbot.edition"
"""On what may go on in a newer release: what it is."""
RUN = "previewbot.run"
"""On each run of that: its name."""
_PORT = "previewbot.port"
_KIND = "previewbot.kind"
_HOST = "previewbot.host"
_HEALTH_PATH = "previewbot.health.path"
_HEALTH_TIMEOUT = "previewbot.health.timeout"
_HEALTH_COMMAND = "previewbot.health.command"

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Names:
    """How one instance of previewbot names its things."""

    instance: str

    def network(self, key: Key, revision: str, place: int) -> str:
        """Name the network of a release: names are in the order in which the networks of an environment were made.

        What is on several networks finds a name on the first one of them, and is reached from outside through it.
        """
        return f"{self.prefix}{key}-{place:06}-{_checked(revision)}"

    def place(self, network: str) -> int:
        """Read the place of a release's network among those of its environment from its name; 0 where it has none."""
        found = re.match(r"pr-\d+-\d+-(\d{6})-", network.removeprefix(self.prefix), re.ASCII)
        return int(found[1]) if found else 0

    def revision(self, network: str) -> str | None:
        """Read the release from its network's name."""
        place = self.place(network)
        return network.partition(f"-{place:06}-")[2] if place else None

    def container(self, key: Key, revision: str, service: str, index: int) -> str:
        """Name one container of a release."""
        return f"{self.prefix}{key}-{_checked(revision)}-{_checked(service)}-{index}"

    def resources(self, key: Key) -> str:
        """Name the network on which an environment's resources are; it comes after those of all releases."""
        return f"{self.prefix}{key}-resources"

    def volume(self, key: Key, name: str) -> str:
        """Name a volume that belongs to an environment."""
        return f"{self.prefix}{key}-{_checked(name)}"

    def tag(self, image: str) -> str:
        """Name an image."""
        return f"{self.repository}:{_checked(image)}"

    @property
    def repository(self) -> str:
        """What comes before the colon in the name of an image."""
        return f"previewbot-{slug(self.instance)}"

    @property
    def prefix(self) -> str:
        """What the names of our networks and containers begin with."""
        return f"pb-{digest(self.instance, length=8)}-"

    def key_of_network(self, name: str) -> Key | None:
        """Read the key from a network's name: its events carry no labels."""
        found = re.match(r"(pr-\d+-\d+)-", name.removeprefix(self.prefix), re.ASCII)
        return Key.parse(found[1]) if found and name.startswith(self.prefix) else None

    def owns(self, labels: Mapping[str, str] | None, key: Key | None = None, revision: str | None = None) -> bool:
        """Whether a thing with these labels is ours, and of this environment and release where they are given."""
        wanted = self.labels(key, revision)
        return all((labels or {}).get(name) == value for name, value in wanted.items())

    def labels(self, key: Key | None = None, revision: str | None = None) -> dict[str, str]:
        """Label a thing of this instance, an environment, a release."""
        made = {INSTANCE: self.instance}
        if key is not None:
            made[KEY] = str(key)
        if revision is not None:
            made[REVISION] = revision
        return made

    def filters(self, key: Key | None = None, revision: str | None = None) -> dict[str, list[str]]:
        """Ask the engine for things with these labels."""
        return {"label": [f"{name}={value}" for name, value in self.labels(key, revision).items()]}


def _checked(part: str) -> str:
    if not _NAME.fullmatch(part):
        raise ValueError(f"not a name of ours: {part!r}")
    return part


def key_of(labels: Mapping[str, str] | None) -> Key | None:
    """Read the key from a thing's labels."""
    return Key.parse((labels or {}).get(KEY, ""))


@dataclass(frozen=True, slots=True)
class Target:
    """What a container must do to count as ready: kept in its labels, so that it survives a restart of previewbot."""

    port: int | None
    host: str | None
    health: Health
    kind: Kind = Kind.WEB

    def labels(self) -> dict[str, str]:
        """Write it down."""
        made = {_KIND: self.kind.value, _HEALTH_TIMEOUT: str(self.health.timeout.total_seconds())}
        if self.port is not None:
            made[_PORT] = str(self.port)
        if self.host is not None:
            made[_HOST] = self.host
        if self.health.path is not None:
            made[_HEALTH_PATH] = self.health.path
        if self.health.command is not None:
            made[_HEALTH_COMMAND] = json.dumps(self.health.command)
        return made

    @classmethod
    def of(cls, service: ServiceSpec) -> Target:
        """Take it from a service."""
        return cls(service.port, service.host, service.health, service.kind)

    @classmethod
    def read(cls, labels: Mapping[str, str]) -> Target:
        """Read what ``labels`` wrote."""
        port = labels.get(_PORT)
        timeout = timedelta(seconds=float(labels.get(_HEALTH_TIMEOUT, "60")))
        command = tuple(json.loads(labels[_HEALTH_COMMAND])) if _HEALTH_COMMAND in labels else None
        health = Health(labels.get(_HEALTH_PATH), timeout, command)
        return cls(int(port) if port else None, labels.get(_HOST), health, Kind(labels.get(_KIND, Kind.WEB)))
