"""What ``buildctl build`` is told of one image. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from previewbot.adapters.building import Inputs
from previewbot.core.blueprint import Build


class Cache(StrEnum):
    """Where the layers of earlier builds are kept besides BuildKit's own disk."""

    REGISTRY = "registry"
    """All of them, beside the images."""
    INLINE = "inline"
    """Those of the image's last stage, in the image itself."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One call of ``buildctl build``."""

    inputs: Inputs
    build: Build
    reference: str
    """Where the image is pushed to."""
    labels: Mapping[str, str]
    fresh: bool = False
    cache: Cache = Cache.NONE
    cache_reference: str | None = None
    knows_cache: bool = False
    """Whether there is anything at ``cache_reference``."""
    plain_http: bool = False

    def arguments(self, metadata: Path) -> list[str]:
        """What follows the call's begin; ``metadata`` receives the image's digest."""
        made = ["build", "--progress=plain", "--frontend=dockerfile.v0"]
        made += ["--local", f"context={self.inputs.context}", "--local", f"dockerfile={self.inputs.dockerfile.parent}"]
        for name, value in self._options().items():
            made += ["--opt", f"{name}={value}"]
        made += ["--output", self._output(), "--metadata-file", str(metadata)]
        return [*made, *self._cache_arguments()]

    def _options(self) -> Mapping[str, str]:
        made = {"filename": self.inputs.dockerfile.name}
        if self.build.target is not None:
            made["target"] = self.build.target
        if self.fresh:
            made["no-cache"] = ""
        made |= {f"build-arg:{name}": value for name, value in self.build.args.items()}
        return made | {f"label:{name}": value for name, value in self.labels.items()}

    def _output(self) -> str:
        names = [self.reference]
        if self.cache is Cache.INLINE and self.cache_reference:
            names.append(self.cache_reference)
        quoted = f'"name={",".join(names)}"'
        return ",".join(["type=image", quoted, "push=true", *self._insecure()])

    def _cache_arguments(self) -> Sequence[str]:
        if self.cache is Cache.NONE or not self.cache_reference:
            return ()
        place = ",".join(["type=registry", f"ref={self.cache_reference}", *self._insecure()])
        made = ["--import-cache", place] if self.knows_cache and not self.fresh else []
        if self.cache is Cache.INLINE:
            return [*made, "--export-cache", "type=inline"]
        # One manifest like an image's, which every registry takes; and no cache is a reason to fail.
        how = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
        return [*made, "--export-cache", f"{place},{how}"]

    def _insecure(self) -> list[str]:
        return ["registry.insecure=true"] if self.plain_http else []
