"""The images of one instance in the engine: finding, listing and deleting them. It builds nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, NotFound

from previewbot.adapters.docker.engine import Engine, is_conflict
from previewbot.adapters.docker.labels import IMAGE, Names
from previewbot.ports import StoredImage


@dataclass(frozen=True, slots=True)
class Stock:
    """All images that carry an instance's label."""

    engine: Engine
    names: Names

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        """Find those of the images that exist: image to ID."""
        if not images:
            return {}
        found = self._tagged(await self.engine.call(self._list))
        return {image: found[image] for image in images if image in found}

    async def images(self) -> Sequence[StoredImage]:
        """List every image; one is in use while any container, running or not, was made of it."""

        def ask(client: docker.APIClient) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            return self._list(client), client.containers(all=True)

        listed, containers = await self.engine.call(ask)
        used = {each["ImageID"] for each in containers}
        return [StoredImage(image, found, found in used) for image, found in sorted(self._tagged(listed).items())]

    async def discard(self, image: str) -> None:
        """Delete an image, and whatever an earlier build of it left without a name."""
        tag = self.names.tag(image)

        def take(client: docker.APIClient) -> None:
            for each in self._list(client):
                if each["Labels"].get(IMAGE) == image:
                    _remove(client, tag if tag in _tags(each) else each["Id"])

        await self.engine.call(take)

    def _list(self, client: docker.APIClient) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = client.images(filters=self.names.filters())
        return listed

    def _tagged(self, listed: Collection[Mapping[str, Any]]) -> dict[str, str]:
        """Image to ID, of those that carry the name that belongs to their label."""
        found = ((each["Labels"].get(IMAGE, ""), each) for each in listed)
        return {image: each["Id"] for image, each in found if image and self.names.tag(image) in _tags(each)}


def _tags(image: Mapping[str, Any]) -> Collection[str]:
    """The names of an image; Podman writes before them where it thinks that they are from."""
    tags = image.get("RepoTags") or ()
    return {*tags, *(tag.removeprefix(place) for tag in tags for place in ("localhost/", "docker.io/library/"))}


def _remove(client: docker.APIClient, image: str) -> None:
    with suppress(NotFound):
        try:
            client.remove_image(image)
        except APIError as error:
            if not is_conflict(error):  # in use
                raise
