"""What an engine would be told to run a release: the same bodies that the runtime sends, and nothing is sent.

They are those for an engine whose bridges are elsewhere; one on this machine is not asked to publish ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from previewbot.adapters.docker import containers
from previewbot.adapters.docker.containers import Berth
from previewbot.adapters.docker.images import Image
from previewbot.adapters.docker.labels import Names
from previewbot.adapters.docker.limits import Limits
from previewbot.core.model import ReleaseSpec
from previewbot.ports import Sealed

Document = dict[str, Any]


def draw(
    release: ReleaseSpec, digests: Mapping[str, str], sealed: Sealed, *, names: Names, limits: Limits
) -> list[Document]:
    """Describe the network, the volumes and the containers of a release, in the order in which they are made.

    The folders that an image declares as volumes are known only to the engine, and are left out.
    """
    key, shared = release.key, names.resources(release.key)
    own = shared if release.resource else names.network(key, release.revision, 1)
    labels = names.labels(key, None if release.resource else release.revision)
    made: list[Document] = [{"network": containers.network(own, labels)}]
    made += [{"volume": containers.volume(key, each, names)} for each in sorted(release.volumes)]
    for service in release.services:
        image = Image(digests[service.image] if service.build else service.image, ())
        for index in range(service.replicas):
            berth = Berth(key, release.revision, service, index, own, release.resource)
            body = containers.container(berth, image, sealed.get(service.name, {}), names=names, limits=limits)
            about: Document = {"container": berth.name(names)}
            if service.needs:
                about["connected_to"] = [shared]
            made.append(about | {"started": not service.is_laid, "body": body})
    return made
