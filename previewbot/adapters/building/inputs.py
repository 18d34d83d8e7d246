"""What goes into a build, found in a checked-out tree; nothing outside of the tree is ever found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from previewbot.core.blueprint import Build
from previewbot.core.errors import Refused
from previewbot.core.model import Reason


@dataclass(frozen=True, slots=True)
class Inputs:
    """The folder that is built from, and its Dockerfile; both absolute."""

    context: Path
    dockerfile: Path

    @classmethod
    def find(cls, tree: Path, build: Build) -> Inputs:
        """Find what a blueprint names; ``Refused`` where it is missing or leaves the tree."""
        root = tree.resolve()
        context = _inside(root, root / build.context, build.context)
        dockerfile = _inside(root, context / build.dockerfile, build.dockerfile)
        if not context.is_dir():
            raise Refused(Reason.SOURCE_REFUSED, f"The build context `{build.context}` is not a folder.")
        if not dockerfile.is_file():
            raise Refused(Reason.SOURCE_REFUSED, f"There is no file `{build.dockerfile}` in the build context.")
        return cls(context, dockerfile)


def _inside(root: Path, path: Path, shown: str) -> Path:
    """Follow links, and refuse a path that leaves the tree, though the source promised that there is none."""
    found = path.resolve()
    if not found.is_relative_to(root):
        raise Refused(Reason.SOURCE_REFUSED, f"The path `{shown}` leaves the repository.")
    return found
