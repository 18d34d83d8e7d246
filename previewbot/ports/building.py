"""What turns a commit into images."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from previewbot.core.model import BuildRecord, ImageOrder

Finished = Callable[[BuildRecord], Awaitable[None]]
"""What a builder tells when a build is over."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of ours that exists, whether or not anything uses it."""

    image: str
    digest: str
    in_use: bool


class Builder(Protocol):
    """What turns a commit into images."""

    async def locate(self, images: Collection[str]) -> Mapping[str, str]:
        """Find those of the images that exist: image to digest."""

    def running(self) -> Mapping[str, BuildRecord]:
        """Show the builds that are under way or wait for their turn, by image."""

    async def start(
        self, order: ImageOrder, *, log: str, finished: Finished, secrets: Mapping[str, str] | None = None
    ) -> BuildRecord:
        """Begin a build in the background and return at once; one that is already under way is that one.

        ``secrets`` has the values that its steps may mount, by name: none is in the image or in the log.

        ``finished`` is awaited once with the build's last record (also after ``cancel``). The log goes to the file
        of the name ``log`` while it is written.
        """

    async def cancel(self, image: str) -> None:
        """Stop a build that nobody wants any more; one that is over is fine."""

    async def images(self) -> Sequence[StoredImage]:
        """List every image of ours."""

    async def discard(self, image: str) -> None:
        """Delete one image of ours; in use or gone is fine."""

    async def close(self) -> None:
        """Stop every build under way."""
