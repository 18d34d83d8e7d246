"""``app-manifest.yml``: what previewbot asks of GitHub, as it came with previewbot; read, and never changed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_NAME = "app-manifest.yml"
_PACKAGE = Path(__file__).parents[1]


class SetupFailed(Exception):  # noqa: N818 - named as it is told to people
    """The App could not be registered; the text says why and what to do about it."""


def read_manifest(path: Path | None = None) -> dict[str, Any]:
    """Read the manifest: the one given, else the one of the package, else the one of the sources.

    Raises ``SetupFailed``.
    """
    places = (path,) if path else (_PACKAGE / _NAME, _PACKAGE.parent / _NAME)
    for place in places:
        with suppress(FileNotFoundError):
            found = YAML(typ="safe").load(place.read_text("utf-8"))
            if isinstance(found, dict):
                return found
            raise SetupFailed(f"{place} is not an App manifest.")
    raise SetupFailed(f"{places[-1]} is not there. Give the path of app-manifest.yml.")
