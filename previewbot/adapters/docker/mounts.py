"""Volumes that a container's program can write to, whoever it runs as: to the engine, a new one is root's alone."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import docker

from previewbot.adapters.docker.engine import answer
from previewbot.core.model import ServiceSpec

_ROOT = 0
_OWN, _OPEN = 0o700, 0o777
_PLAIN = {"Accept-Encoding": "identity"}


def open_volumes(client: docker.APIClient, container: str, service: ServiceSpec) -> None:
    """Give the volumes of a container that is not started yet to the user it is told to run as.

    One that is told none runs as whoever its image says, often by a name that only the image knows: what is still
    root's is opened to all, which are the programs of one environment. A folder of the image keeps its own owner.
    """
    if service.user is not None:
        client.put_archive(container, "/", _folders(service.volumes, service.user, _OWN))
        return
    closed = [path for path in service.volumes if _owner(client, container, path) == _ROOT]
    if closed:
        client.put_archive(container, "/", _folders(closed, _ROOT, _OPEN))


def _owner(client: docker.APIClient, container: str, path: str) -> int:
    """Whose a folder is: the first block of its archive tells, and what is in it may be long."""
    archive = answer(client, "GET", f"containers/{container}/archive", headers=_PLAIN, params={"path": path})
    with archive as found:
        return tarfile.TarInfo.frombuf(found.raw.read(tarfile.BLOCKSIZE), "utf-8", "replace").uid


def _folders(paths: Iterable[str], owner: int, mode: int) -> bytes:
    """Describe folders that belong to a user, as an archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(paths):
            entry = tarfile.TarInfo(path.strip("/"))
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(entry)
    return made.getvalue()
