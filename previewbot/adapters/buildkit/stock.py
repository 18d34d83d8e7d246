"""The images of one instance in a registry: finding, listing and deleting them. It builds nothing.

A tag counts as an image of ours only where the labels inside the image say so: whatever else lies under such a name is
neither run nor deleted. The labels also keep the digests of two images apart, so deleting one deletes no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from previewbot.adapters.buildkit.names import Names, is_digest, is_image_tag
from previewbot.adapters.buildkit.registry import ImageConfig, Registry
from previewbot.adapters.together import every
from previewbot.ports import StoredImage

_AT_ONCE = 8

InUse = Callable[[], Awaitable[Collection[str]]]
"""Lists the references of the images that anything runs; a registry cannot know."""


class Stock:
    """All images of an instance. What a digest holds is asked once."""

    def __init__(self, registry: Registry, names: Names, in_use: InUse) -> None:
        self.registry = registry
        self.names = names
        self._in_use = in_use
        self._configs: dict[str, ImageConfig] = {}
        """By digest, which never changes."""
        self._digests: dict[str, str] = {}
        """By image, as last seen: enough for a listing, never for a deletion."""
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        """Find those of the images that exist: image to reference, by digest."""
        wanted = [image for image in images if is_image_tag(image)]
        found = await every(self._find(image) for image in wanted)
        return {image: self.names.pinned(each) for image, each in zip(wanted, found, strict=True) if each}

    async def images(self) -> Sequence[StoredImage]:
        """List every image; one is in use while anything runs it."""
        tags = [tag for tag in await self.registry.tags(self.names.repository) if is_image_tag(tag)]
        self._forget(set(tags))
        await every(self._find(tag) for tag in tags if tag not in self._digests)
        used = await self._used()
        known = sorted(self._digests.items())
        return [StoredImage(image, self.names.pinned(digest), digest in used) for image, digest in known]

    async def discard(self, image: str) -> None:
        """Delete an image, unless something runs it."""
        digest = await self._find(image)
        if digest and digest not in await self._used():
            await self.registry.delete(self.names.repository, digest)
            self._digests.pop(image, None)

    async def user_of(self, reference: str) -> str | None:
        """Read as whom an image's program runs, as its Dockerfile says it; empty means that it says nothing.

        ``None``: it is none of this repository, or is gone.
        """
        inside = self.names.split(reference)
        digest = inside if inside is None or is_digest(inside) else await self._digest(inside)
        config = await self._config(digest) if digest else None
        return config.user if config else None

    async def _find(self, image: str) -> str | None:
        async with self._gate:
            digest = await self._digest(image)
            config = await self._config(digest) if digest else None
        labels = self.names.labels(image)
        if digest is None or config is None or not labels.items() <= config.labels.items():
            self._digests.pop(image, None)
            return None
        self._digests[image] = digest
        return digest

    async def _digest(self, tag: str) -> str | None:
        return await self.registry.digest(self.names.repository, tag)

    async def _config(self, digest: str) -> ImageConfig | None:
        if digest not in self._configs:
            found = await self.registry.config(self.names.repository, digest)
            if found is None:
                return None
            self._configs[digest] = found
        return self._configs[digest]

    async def _used(self) -> Collection[str]:
        return {reference.rpartition("@")[2] for reference in await self._in_use()}

    def _forget(self, tags: Collection[str]) -> None:
        """Forget what is not listed any more."""
        self._digests = {image: digest for image, digest in self._digests.items() if image in tags}
        kept = set(self._digests.values())
        self._configs = {digest: config for digest, config in self._configs.items() if digest in kept}
