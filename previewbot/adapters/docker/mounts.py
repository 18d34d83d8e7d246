"""Volumes that a container's program can write to, whoever it runs as: to the engine, a new one is root's alone."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import docker
from docker.errors import create_api_error_from_http_exception
from requests import HTTPError

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
    place = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    with client.get(place, headers=_PLAIN, params={"path": path}, stream=True, timeout=client.timeout) as answer:
        try:
            answer.raise_for_status()
        except HTTPError as error:
            create_api_error_from_http_exception(error)
        return tarfile.TarInfo.frombuf(answer.raw.read(tarfile.BLOCKSIZE), "utf-8", "replace").uid


def _folders(paths: Iterable[str], owner: int, mode: int) -> bytes:
    """Describe folders that belong to a user, as an archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(paths):
            entry = tarfile.TarInfo(path.strip("/"))
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(entry)
    return made.getvalue()
