"""Which releases a container belongs to: more than one, where it goes on in a newer release because it is the same.

A container never leaves the network that it was made on, its home: it is reached from outside through that. So its name
tells whether it still belongs to the release that it was made for. It belongs to every other one on whose network it
is. All of this is in the engine, and so survives a restart of previewbot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import docker
from docker.errors import APIError

from previewbot.adapters.docker.engine import is_conflict
from previewbot.adapters.docker.labels import EDITION, INDEX, REVISION, RUN, SERVICE, Names, key_of
from previewbot.core.errors import Transient

Thing = dict[str, Any]
"""A container, as the engine lists it."""


def home(container: Thing) -> str | None:
    """The release that a container was made for."""
    return _labels(container).get(REVISION)


def releases(container: Thing, names: Names) -> frozenset[str]:
    """The releases that a container belongs to."""
    own = home(container)
    if own is None or EDITION not in _labels(container):
        return frozenset({own} if own else ())
    joined = {found for each in _networks(container) if (found := names.revision(each))} - {own}
    has_left = any(_is_called(container, names, each) for each in joined)
    return frozenset(joined if has_left else joined | {own})


def first(container: Thing, names: Names) -> str:
    """The oldest of the releases that a container belongs to."""
    places = {found: names.place(each) for each in _networks(container) if (found := names.revision(each))}
    return min(releases(container, names), key=lambda each: places.get(each, 0))


def is_of(container: Thing, service: str, index: int) -> bool:
    """Whether a container is this replica of a service, and no run of a job."""
    labels = _labels(container)
    return labels.get(SERVICE) == service and labels.get(INDEX) == str(index) and RUN not in labels


def join(client: docker.APIClient, container: Thing, revision: str, *, network: str, names: Names) -> None:
    """Let a container belong to one more release as well, whose network is ``network``."""
    if home(container) == revision:
        client.rename(container["Id"], _name(container, names, revision))
        return
    connect(client, container["Id"], network, aliases=[_labels(container)[SERVICE]])


def connect(client: docker.APIClient, id: str, network: str, *, aliases: Sequence[str] = ()) -> None:
    """Put a container on one more network, unless it is there; the oldest engines do not do that as it is made."""
    try:
        client.connect_container_to_network(id, network, aliases=list(aliases) or None)
    except APIError as error:
        if "already exists in network" not in str(error):
            raise


def leave(client: docker.APIClient, container: Thing, revision: str, names: Names) -> None:
    """Let a container no longer belong to a release; it belongs to another one, and goes on."""
    rest = releases(container, names) - {revision}
    networks = {found: each for each in _networks(container) if (found := names.revision(each))}
    try:
        if _is_called(container, names, revision):
            newest = max(rest, key=lambda each: networks.get(each, ""))
            client.rename(container["Id"], _name(container, names, newest))
        if revision in networks and revision != home(container):
            client.disconnect_container_from_network(container["Id"], networks[revision], force=True)
    except APIError as error:
        if not is_conflict(error):
            raise
        raise Transient("A container cannot leave its release now.") from error


def _name(container: Thing, names: Names, revision: str) -> str:
    labels = _labels(container)
    key = key_of(labels)
    if key is None:  # everything of ours has one
        raise ValueError(f"container {container['Id']} has no key")
    return names.container(key, revision, labels[SERVICE], int(labels[INDEX]))


def _is_called(container: Thing, names: Names, revision: str) -> bool:
    return f"/{_name(container, names, revision)}" in container["Names"]


def _networks(container: Thing) -> list[str]:
    return list((container.get("NetworkSettings") or {}).get("Networks") or {})


def _labels(container: Thing) -> dict[str, str]:
    return container.get("Labels") or {}
