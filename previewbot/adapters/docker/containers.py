"""The bodies that are sent to the engine to make a container or a network: every limit and every lock is here.

Field names are those of the Docker Engine API (``POST /containers/create``, ``POST /networks/create``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from previewbot.adapters.docker.facts import LOOPBACK
from previewbot.adapters.docker.images import Image
from previewbot.adapters.docker.labels import (
    EDITION,
    INDEX,
    LAID,
    RESOURCE,
    RUN,
    SCHEDULE,
    SERVICE,
    VOLUME,
    Names,
    Target,
)
from previewbot.adapters.docker.limits import MIB, Limits
from previewbot.core.filling import ARGUMENT, argument
from previewbot.core.ids import Key, digest
from previewbot.core.model import ServiceSpec, Size

_NANO = 1_000_000_000
_LOG_FILES = 2
_HOST_NAME_LIMIT = 63
_SHOWN = frozenset({"CpuPeriod", "CpuQuota", "Ulimits"})
"""What Podman shows of a container, beside what it was told, and takes back from nobody."""


@dataclass(frozen=True, slots=True)
class Berth:
    """Where one container belongs."""

    key: Key
    revision: str
    service: ServiceSpec
    index: int
    network: str
    """The network on which its siblings find it by its name."""
    resource: str | None = None
    """The resource that it is, where it is none of the app's own services."""
    is_near: bool = False
    """Whether it is reached at its own address, so that its port need not be published (see ``rooms``)."""

    def name(self, names: Names) -> str:
        """Its name in the engine."""
        return names.container(self.key, self.revision, self.service.name, self.index)

    def edition(self, limits: Limits) -> str | None:
        """What it is, where it may go on in a newer release: a new limit of the operator's makes it another."""
        return digest(self.service.edition, repr(limits)) if self.service.edition else None

    def labels(self, names: Names, limits: Limits) -> dict[str, str]:
        """Its labels."""
        own = {SERVICE: self.service.name, INDEX: str(self.index)}
        if edition := self.edition(limits):
            own[EDITION] = edition
        if self.resource is not None:
            own[RESOURCE] = self.resource
        if self.service.is_laid:
            own[LAID] = "1"
        if self.service.schedule is not None:
            own[SCHEDULE] = self.service.schedule.written()
        return names.labels(self.key, self.revision) | own | Target.of(self.service).labels()


def network(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Describe a network; Podman's are kept apart only where that is asked for, and others do not know the option."""
    options = {"isolate": "true"}
    return {"name": name, "driver": "bridge", "labels": dict(labels), "check_duplicate": True, "options": options}


def volume(key: Key, name: str, names: Names) -> dict[str, Any]:
    """Describe a volume that belongs to an environment."""
    return {"name": names.volume(key, name), "labels": {**names.labels(key), VOLUME: name}}


def container(berth: Berth, image: Image, sealed: Mapping[str, str], *, names: Names, limits: Limits) -> dict[str, Any]:
    """Describe a container; ``sealed`` are the variables of its environment that are secret."""
    service = berth.service
    made: dict[str, Any] = {
        "Image": image.id,
        "Hostname": service.name[:_HOST_NAME_LIMIT],
        "Env": [f"{name}={value}" for name, value in _environment(service, sealed).items()],
        "Labels": berth.labels(names, limits),
        "HostConfig": _host(berth, image.volumes, names, limits),
        "NetworkingConfig": {"EndpointsConfig": {berth.network: {"Aliases": [service.name]}}},
    }
    if service.command is not None:
        made["Cmd"] = [sealed.get(argument(place), word) for place, word in enumerate(service.command)]
    if service.entrypoint is not None:
        made["Entrypoint"] = list(service.entrypoint)
    if service.user is not None:
        made["User"] = f"{service.user}:{service.user}"
    if service.port is not None:
        made["ExposedPorts"] = {f"{service.port}/tcp": {}}
    return made


def run(laid: Mapping[str, Any], name: str, network: str) -> dict[str, Any]:
    """Describe one run of what an inspection of a laid container shows: all of it, under a name of its own."""
    kept = laid["Config"]["Labels"].items()
    labels = {label: value for label, value in kept if label not in (LAID, SCHEDULE)} | {RUN: name}
    host = {name: value for name, value in laid["HostConfig"].items() if name not in _SHOWN}
    return {**laid["Config"], "Labels": labels, "HostConfig": host | {"NetworkMode": network},
            "NetworkingConfig": {"EndpointsConfig": {network: {}}}}  # fmt: skip


def _environment(service: ServiceSpec, sealed: Mapping[str, str]) -> dict[str, str]:
    return dict(service.env) | {name: value for name, value in sealed.items() if not name.startswith(ARGUMENT)}


def _host(berth: Berth, volumes: Iterable[str], names: Names, limits: Limits) -> dict[str, Any]:
    size = berth.service.size or Size(limits.cpus, limits.memory)
    made: dict[str, Any] = {
        "NetworkMode": berth.network,
        "Init": True,
        "RestartPolicy": {"Name": "unless-stopped" if berth.service.kind.stays else "no"},
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": size.memory,
        "MemorySwap": size.memory,
        "NanoCpus": int(size.cpu * _NANO),
        "PidsLimit": limits.pids,
        "LogConfig": _log(limits),
        "Mounts": [
            *_kept(berth, names),
            *(_passing(each, berth, names) for each in volumes if not _is_kept(each, berth)),
        ],
    }
    if berth.service.port is not None and not berth.is_near:
        # An empty port is any free one; loopback alone, so that nothing but the front door's machine reaches it.
        made["PortBindings"] = {f"{berth.service.port}/tcp": [{"HostIp": LOOPBACK, "HostPort": ""}]}
    if limits.runtime is not None:
        made["Runtime"] = limits.runtime
    return made


def _log(limits: Limits) -> dict[str, Any]:
    size = max(1, math.ceil(limits.log / _LOG_FILES / MIB))
    return {"Type": "json-file", "Config": {"max-size": f"{size}m", "max-file": str(_LOG_FILES)}}


def _kept(berth: Berth, names: Names) -> list[dict[str, Any]]:
    """The volumes that belong to the environment, and outlive this container."""
    own = berth.service.volumes
    return [{"Type": "volume", "Source": names.volume(berth.key, own[path]), "Target": path} for path in sorted(own)]


def _is_kept(folder: str, berth: Berth) -> bool:
    return any(folder.rstrip("/") == path.rstrip("/") for path in berth.service.volumes)


def _passing(folder: str, berth: Berth, names: Names) -> dict[str, Any]:
    """A volume without a name goes with its container; labelled, it is found should that ever fail."""
    labels = names.labels(berth.key, berth.revision)
    return {"Type": "volume", "Target": folder, "VolumeOptions": {"Labels": labels}}
