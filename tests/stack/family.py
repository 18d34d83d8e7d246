"""Images that stand on one file system: a Debian with packages, made once into the user's cache by its content."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from previewbot.demo.machine import Say
from tests.cluster import debian, images

USER = 999
"""The number that the official images give their servers' user."""


@dataclass(frozen=True, slots=True)
class Family:
    """What they have in common, and what each of them is started with: the ``config`` of an OCI image."""

    base: str
    """The image that only has the file system, and what apps are built on."""
    path: str
    """``PATH``, as an image has it."""
    packages: Sequence[str]
    folders: Sequence[str]
    """Those that belong to the servers' user."""
    own: Callable[[Say], Mapping[str, bytes]]
    """Makes the files that are in no package, by their paths."""
    servers: Mapping[str, Mapping[str, object]]
    """Each image by its name."""
    left_out: Sequence[str] = ("./var/lib/apt/lists/",)
    """Parts of the paths of files that nobody needs here."""
    left_out_where: str = "^$"
    """The same as a pattern."""

    def filesystem(self, say: Say) -> bytes:
        """The file system, as a tar."""
        own = self.own(say)
        parts = (self.packages, self.folders, self.left_out, self.left_out_where)
        name = _hash(repr((*parts, *((name, _hash(each)) for name, each in own.items()))).encode())[:16]
        cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "previewbot", "images", f"{name}.tar")
        if not cached.exists():
            cached.parent.mkdir(parents=True, exist_ok=True)
            aside = cached.with_suffix(f".{os.getpid()}")
            aside.write_bytes(self._made(debian.filesystem(self.packages, say), own))
            aside.replace(cached)
        return cached.read_bytes()

    def _made(self, whole: bytes, own: Mapping[str, bytes]) -> bytes:
        """Leave out what nobody runs here, and add a user, its folders and what is in no package."""
        raw, pattern = io.BytesIO(), re.compile(self.left_out_where)
        folders = {f"./{each}" for each in self.folders}
        with tarfile.open(fileobj=io.BytesIO(whole)) as given, tarfile.open(fileobj=raw, mode="w") as tar:
            for member in given:
                if any(part in member.name for part in self.left_out) or pattern.fullmatch(member.name):
                    continue
                if member.name in folders:
                    continue
                content = given.extractfile(member) if member.isreg() else None
                if content and member.name in ("./etc/passwd", "./etc/group"):
                    text = content.read() + _line(member.name)
                    member.size, content = len(text), io.BytesIO(text)
                tar.addfile(member, content)
            for folder in sorted(folders):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o700, USER, USER
                tar.addfile(entry)
            for path, program in own.items():
                entry = tarfile.TarInfo(f"./{path}")
                entry.mode, entry.size = 0o755, len(program)
                tar.addfile(entry, io.BytesIO(program))
        return raw.getvalue()

    def load(self, host: str, tar: bytes) -> None:
        """Put them into an engine, where they are not there yet."""
        client = docker.APIClient(host, version="auto", timeout=120)
        try:
            if not client.images(self.base):
                name, _, tag = self.base.rpartition(":")
                client.import_image_from_data(tar, name, tag, changes=[f"ENV {self.path}", 'CMD ["sh"]'])
            for each, config in self.servers.items():
                text = "\n".join(_dockerfile(self.base, config)).encode()
                for _ in client.build(fileobj=io.BytesIO(text), tag=each, rm=True, network_mode="none"):
                    pass
                client.inspect_image(each)
        finally:
            client.close()

    def push(self, registry: str, tar: bytes) -> None:
        """Put them into a cluster's registry, under the names that the nodes ask for."""
        layer = images.Layer.of(tar)
        images.push(registry, self.base, layer, {"Env": [self.path], "Cmd": ["sh"]})
        for each, config in self.servers.items():
            name = each if "/" in each else f"library/{each}"
            images.push(registry, name, layer, {"Env": [self.path], **config})


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _line(file: str) -> bytes:
    """The user, or its group."""
    return f"server:x:{USER}:{f'{USER}::/tmp:/bin/sh' if 'passwd' in file else ''}\n".encode()


def _dockerfile(base: str, config: Mapping[str, object]) -> Sequence[str]:
    lines = [f"FROM {base}", f"ENTRYPOINT {json.dumps(config['Entrypoint'])}"]
    lines.append(f"CMD {json.dumps(config.get('Cmd', []))}")
    lines += [f"STOPSIGNAL {config['StopSignal']}"] if "StopSignal" in config else []
    return lines
