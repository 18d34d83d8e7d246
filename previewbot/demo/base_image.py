"""A base image made of this machine's own busybox, where no image can be pulled. It never reaches a network.

Debian's ``busybox-static`` is one program of 2 MB that is also ``sh``, ``httpd``, ``cat`` and 270 more.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import docker

NAME = "previewbot/base:1"
"""What apps call it."""

_BUSYBOX = (Path("/bin/busybox"), Path("/usr/bin/busybox"))
_PATH = "/bin"
_FOLDERS = ("bin", "etc", "home", "root", "srv", "var", "var/log", "usr", "usr/bin")


class BusyboxMissingError(Exception):
    """There is no static busybox on this machine."""

    def __init__(self) -> None:
        super().__init__("The base image is made of a static busybox, which is missing: apt-get install busybox-static")


def import_base(docker_host: str, tag: str = NAME) -> str:
    """Make the base image in an engine, or find it there; returns its ID."""
    client = docker.APIClient(docker_host, version="auto", timeout=60)
    try:
        if not client.images(tag):
            # Podman takes a tag only as a part of the name.
            changes = [f"ENV PATH={_PATH}", "WORKDIR /", 'CMD ["sh"]']
            client.import_image_from_data(filesystem(), tag, changes=changes)
        return str(client.inspect_image(tag)["Id"])
    finally:
        client.close()


def filesystem() -> bytes:
    """What the image holds, as a tar; raises ``BusyboxMissingError``."""
    busybox = next((path for path in _BUSYBOX if path.is_file()), None)
    if busybox is None:
        raise BusyboxMissingError
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for folder in _FOLDERS:
            tar.addfile(_entry(folder, tarfile.DIRTYPE, 0o755))
        tar.addfile(_entry("tmp", tarfile.DIRTYPE, 0o1777))
        for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("group", "root:x:0:\n")):
            _add(tar, f"etc/{name}", text.encode(), 0o644)
        _add(tar, "bin/busybox", busybox.read_bytes(), 0o755)
        for name in _applets(busybox):
            link = _entry(f"bin/{name}", tarfile.SYMTYPE, 0o777)
            link.linkname = "busybox"
            tar.addfile(link)
    return raw.getvalue()


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([str(busybox), "--list"], check=True, capture_output=True, text=True, timeout=10)
    return sorted(set(listed.stdout.split()) - {"busybox"})


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = _entry(name, tarfile.REGTYPE, mode)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry
