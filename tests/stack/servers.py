"""Images of PostgreSQL and Redis that behave like the official ones of their names, made of Debian's own packages.

They are also what the sample app is built on. The file system is made once into the user's cache, by its content.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker

from previewbot.demo.machine import Say
from tests.cluster import debian, images

PACKAGES: Sequence[str] = ("postgresql-15", "redis-server", "python3-psycopg2", "python3-redis")
BASE = "previewbot/stack:1"
_USER = 999
"""The number that the official images give their servers' user."""
_LEFT_OUT = ("libLLVM", "/bitcode/", "./usr/share/perl", "./usr/lib/x86_64-linux-gnu/perl/", "./var/lib/apt/lists/")
_PATH = f"PATH=/usr/lib/postgresql/15/bin:{str(debian.CONFIG['Env'])[7:-2]}"
_ENTRYPOINT = """\
#!/bin/sh
# As the official image documents it: the first start makes the database that the variables name.
set -eu
if [ "$1" = postgres ]; then
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 077
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb -D "$PGDATA" -U "$POSTGRES_USER" -A scram-sha-256 --pwfile=/tmp/password --no-sync
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    echo "create database \\"$POSTGRES_DB\\"" | postgres --single -j -D "$PGDATA" postgres > /tmp/made
  fi
  exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off
fi
exec "$@"
"""
SERVERS: Mapping[str, Mapping[str, object]] = {
    "postgres:15": {"Env": [_PATH], "Entrypoint": ["/entrypoint"], "Cmd": ["postgres"], "StopSignal": "SIGINT"},
    "redis:7": {"Env": [_PATH], "Entrypoint": ["/entrypoint"], "Cmd": ["redis-server"]},
}


def filesystem(say: Say) -> bytes:
    """The file system of all of them, as a tar."""
    name = hashlib.sha256(f"{PACKAGES} {_LEFT_OUT} {_ENTRYPOINT}".encode()).hexdigest()[:16]
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "previewbot", "images", f"{name}.tar")
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        aside = cached.with_suffix(f".{os.getpid()}")
        aside.write_bytes(_made(debian.filesystem(PACKAGES, say)))
        aside.replace(cached)
    return cached.read_bytes()


def _made(whole: bytes) -> bytes:
    """Leave out what nobody runs here, and add a user, its folders and the entry point."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as given, tarfile.open(fileobj=raw, mode="w") as tar:
        for member in given:
            if any(part in member.name for part in _LEFT_OUT):
                continue
            content = given.extractfile(member) if member.isreg() else None
            if content and member.name in ("./etc/passwd", "./etc/group"):
                more = f"{_USER}::/tmp:/bin/sh" if "passwd" in member.name else ""
                line = f"server:x:{_USER}:{more}\n"
                text = content.read() + line.encode()
                member.size, content = len(text), io.BytesIO(text)
            tar.addfile(member, content)
        for folder in ("var/lib/postgresql/data", "data"):
            entry = tarfile.TarInfo(f"./{folder}")
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o700, _USER, _USER
            tar.addfile(entry)
        entry = tarfile.TarInfo("./entrypoint")
        entry.mode, entry.size = 0o755, len(_ENTRYPOINT)
        tar.addfile(entry, io.BytesIO(_ENTRYPOINT.encode()))
    return raw.getvalue()


def load(host: str, tar: bytes) -> None:
    """Put them into an engine, where they are not there yet."""
    client = docker.APIClient(host, version="auto", timeout=120)
    try:
        if not client.images(BASE):
            name, _, tag = BASE.rpartition(":")
            client.import_image_from_data(tar, name, tag, changes=[f"ENV {_PATH}", 'CMD ["sh"]'])
        for each, config in SERVERS.items():
            lines = [f"FROM {BASE}", 'ENTRYPOINT ["/entrypoint"]', f'CMD ["{config["Cmd"][0]}"]']  # type: ignore[index]
            if stop := config.get("StopSignal"):
                lines.append(f"STOPSIGNAL {stop}")
            text = "\n".join(lines).encode()
            for _ in client.build(fileobj=io.BytesIO(text), tag=each, rm=True, network_mode="none"):
                pass
            client.inspect_image(each)
    finally:
        client.close()


def push(registry: str, tar: bytes) -> None:
    """Put them into a cluster's registry, under the names that the nodes ask for."""
    images.push(registry, BASE, tar, {"Env": [_PATH], "Cmd": ["sh"]})
    for each, config in SERVERS.items():
        images.push(registry, f"library/{each}", tar, config)
