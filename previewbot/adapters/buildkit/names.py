"""The names of images in a registry: one repository for each instance, in which a tag is an image's key.

So one listing tells all images of an instance, and an operator whose registry makes no repositories by itself has one
to make. Tags only keep names unique; the labels inside an image say whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from previewbot.core.ids import digest, slug
from previewbot.core.model import ImageOrder

INSTANCE = "previewbot.instance"
IMAGE = "previewbot.image"
_CACHE = "cache-"
_TAG = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """How one instance of previewbot names its images below ``prefix``, ``registry.example.com/previews``."""

    prefix: str
    instance: str

    @property
    def host(self) -> str:
        """The registry: a host, and a port where it needs one."""
        return self.prefix.partition("/")[0]

    @property
    def repository(self) -> str:
        """The repository that holds everything of this instance, without the registry."""
        folder = self.prefix.partition("/")[2].strip("/")
        return "/".join(part for part in (folder, slug(self.instance)) if part)

    def tagged(self, image: str) -> str:
        """Where an image is pushed to."""
        return f"{self.host}/{self.repository}:{checked_tag(image)}"

    def pinned(self, digest: str) -> str:
        """What to run: an image by its content, whatever happens to its tag."""
        return f"{self.host}/{self.repository}@{digest}"

    def cache_tag(self, order: ImageOrder) -> str:
        """Where the layers of a service's last build are kept: one tag for each thing that is built."""
        build = order.build
        about = digest(build.context, build.dockerfile, build.target or "", length=12)
        return f"{_CACHE}{order.repository.id}-{about}"

    def labels(self, image: str) -> Mapping[str, str]:
        """Say inside an image whose and which it is; this also keeps the digests of two images apart."""
        return {INSTANCE: self.instance, IMAGE: image}

    def split(self, reference: str) -> str | None:
        """Read the tag or the digest of a reference to this repository; anything else is ``None``."""
        rest = reference.removeprefix(f"{self.host}/{self.repository}")
        if rest == reference:
            return None
        if rest.startswith("@") and is_digest(rest[1:]):
            return rest[1:]
        return rest[1:] if rest.startswith(":") and _TAG.fullmatch(rest[1:]) else None


def is_image_tag(tag: str) -> bool:
    """Whether a tag may name an image of ours."""
    return bool(_TAG.fullmatch(tag)) and not tag.startswith(_CACHE)


def is_digest(text: str) -> bool:
    """Whether a text names content by its SHA-256."""
    return bool(_DIGEST.fullmatch(text))


def checked_tag(image: str) -> str:
    """An image's key as a tag; raises ``ValueError`` for what can be none."""
    if not is_image_tag(image):
        raise ValueError(f"not a name of ours: {image!r}")
    return image
