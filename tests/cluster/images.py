"""Images made of this machine's own files and put into the cluster's registry, where none can be pulled from elsewhere.

Any other image is built on these with ``buildctl``, or made of a file system in a tar, such as ``mmdebstrap`` writes.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import platform
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from previewbot.demo.base_image import filesystem

PAUSE = "previewbot/pause:1"
BASE = "previewbot/base:1"

_BUSYBOX = {"Env": ["PATH=/bin"], "WorkingDir": "/", "Cmd": ["sh"]}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def push_first_images(registry: str) -> None:
    """Push what every pod and every build here stands on: the pause image, and busybox as ``previewbot/base:1``."""
    layer = Layer.of(filesystem())
    push(registry, BASE, layer, _BUSYBOX)
    push(registry, PAUSE, layer, {"Entrypoint": ["/bin/busybox", "sleep", "infinity"], "User": "65535:65535"})


@dataclass(frozen=True, slots=True)
class Layer:
    """A file system as registries keep it, which several images may stand on."""

    blob: bytes
    contents: str
    """The digest of what is in it, uncompressed."""

    @classmethod
    def of(cls, tar: bytes) -> Layer:
        """Compress an uncompressed tar."""
        return cls(gzip.compress(tar, 1, mtime=0), _digest(tar))


def push(registry: str, name: str, layer: Layer, config: Mapping[str, object]) -> str:
    """Push an image of one layer as ``repository:tag``; returns its digest.

    ``config`` is the ``config`` of the OCI image: ``Env``, ``Cmd``, ``Entrypoint``, ``User``, ``WorkingDir``.
    """
    repository, _, tag = name.rpartition(":")
    image = json.dumps({
        "architecture": _MACHINES.get(platform.machine(), platform.machine()), "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer.contents]},
    }).encode()  # fmt: skip
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": _digest(image), "size": len(image)},
        "layers": [{"mediaType": _LAYER, "digest": _digest(layer.blob), "size": len(layer.blob)}],
    }).encode()  # fmt: skip
    with closing(http.client.HTTPConnection("127.0.0.1", int(registry.rpartition(":")[2]), timeout=30)) as connection:
        for blob in (layer.blob, image):
            _upload(connection, repository, blob)
        _send(connection, "PUT", f"/v2/{repository}/manifests/{tag}", body=manifest, kind=_MANIFEST)
    return _digest(manifest)


def digest(registry: str, name: str) -> str:
    """Which image ``repository:tag`` is at the moment."""
    repository, _, tag = name.rpartition(":")
    with closing(http.client.HTTPConnection("127.0.0.1", int(registry.rpartition(":")[2]), timeout=30)) as connection:
        kinds = f"{_MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
        connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": kinds})
        found = connection.getresponse().getheader("Docker-Content-Digest")
    if not found:
        raise OSError(f"{registry} has no {name}")
    return found


def _upload(connection: http.client.HTTPConnection, repository: str, blob: bytes) -> None:
    place = _send(connection, "POST", f"/v2/{repository}/blobs/uploads/")
    joined = "&" if "?" in place else "?"
    _send(connection, "PUT", f"{place}{joined}digest={_digest(blob)}", body=blob, kind="application/octet-stream")


def _send(connection: http.client.HTTPConnection, method: str, path: str, *, body: bytes = b"", kind: str = "") -> str:
    """Returns where the registry says to go on."""
    connection.request(method, path, body, {"Content-Type": kind} if kind else {})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise OSError(f"{method} {path}: {answer.status} {said[:300]!r}")
    return answer.getheader("Location", "")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
