"""Images that behave like the official ones of their names, where no registry can be asked for them.

PostgreSQL and Redis are Debian's own packages, the others are built or fetched as what they are.
They are also what the sample app is built on. The file system is made once into the user's cache, by its content.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker

from previewbot.demo.machine import Say
from tests.cluster import debian, images, tools
from tests.stack import maven

PACKAGES: Sequence[str] = (
    *("postgresql-15", "redis-server", "openjdk-17-jre-headless"),
    *("python3-psycopg2", "python3-redis", "python3-boto3"),
)
BASE = "previewbot/stack:1"
_USER = 999
"""The number that the official images give their servers' user."""
_LEFT_OUT = (
    *("libLLVM", "/bitcode/", "./usr/share/perl", "./usr/lib/x86_64-linux-gnu/perl/", "./var/lib/apt/lists/"),
    *("/classes_nocoops.jsa", "/ct.sym"),
)
_LEFT_OUT_BUT = re.compile(r".*/botocore/data/(?!(?:s3|sqs)/)\w[^/]*/.*")
"""What a client of other services would have to know."""
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
_ELASTICMQ = """\
#!/bin/sh
# As the official image: arguments are settings of the machine that runs it, laid over an empty configuration.
exec java -Dconfig.file=/opt/elasticmq.conf "$@" -cp '/opt/elasticmq/*' org.elasticmq.server.Main
"""
SERVERS: Mapping[str, Mapping[str, object]] = {
    "postgres:15": {"Env": [_PATH], "Entrypoint": ["/entrypoint"], "Cmd": ["postgres"], "StopSignal": "SIGINT"},
    "redis:7": {"Env": [_PATH], "Entrypoint": ["/entrypoint"], "Cmd": ["redis-server"]},
    "versity/versitygw:v1.8.0": {"Env": [_PATH], "Entrypoint": ["versitygw"]},
    "softwaremill/elasticmq:1.6.16": {"Env": [_PATH], "Entrypoint": ["/opt/elasticmq/run"]},
}


def filesystem(say: Say) -> bytes:
    """The file system of all of them, as a tar."""
    own = _own(say)
    parts = (PACKAGES, _LEFT_OUT, _LEFT_OUT_BUT.pattern, *((name, _hash(each)) for name, each in own.items()))
    name = _hash(repr(parts).encode())[:16]
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "previewbot", "images", f"{name}.tar")
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        aside = cached.with_suffix(f".{os.getpid()}")
        aside.write_bytes(_made(debian.filesystem(PACKAGES, say), own))
        aside.replace(cached)
    return cached.read_bytes()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _own(say: Say) -> Mapping[str, bytes]:
    """The files that are in no package, by their paths."""
    versitygw = tools.build(say, ("versitygw",))["versitygw"]
    return {
        "entrypoint": _ENTRYPOINT.encode(),
        "usr/bin/versitygw": versitygw.read_bytes(),
        "opt/elasticmq.conf": b'include classpath("application.conf")\n',
        "opt/elasticmq/run": _ELASTICMQ.encode(),
        **{f"opt/elasticmq/{each.name}": each.read_bytes() for each in sorted(maven.elasticmq(say).iterdir())},
    }


def _made(whole: bytes, own: Mapping[str, bytes]) -> bytes:
    """Leave out what nobody runs here, and add a user, its folders and what is in no package."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as given, tarfile.open(fileobj=raw, mode="w") as tar:
        for member in given:
            if any(part in member.name for part in _LEFT_OUT) or _LEFT_OUT_BUT.fullmatch(member.name):
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
        for path, program in own.items():
            entry = tarfile.TarInfo(f"./{path}")
            entry.mode, entry.size = 0o755, len(program)
            tar.addfile(entry, io.BytesIO(program))
    return raw.getvalue()


def load(host: str, tar: bytes) -> None:
    """Put them into an engine, where they are not there yet."""
    client = docker.APIClient(host, version="auto", timeout=120)
    try:
        if not client.images(BASE):
            name, _, tag = BASE.rpartition(":")
            client.import_image_from_data(tar, name, tag, changes=[f"ENV {_PATH}", 'CMD ["sh"]'])
        for each, config in SERVERS.items():
            lines = [f"FROM {BASE}", f"ENTRYPOINT {json.dumps(config['Entrypoint'])}", "CMD []"]
            if command := config.get("Cmd"):
                lines[-1] = f"CMD {json.dumps(command)}"
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
    layer = images.Layer.of(tar)
    images.push(registry, BASE, layer, {"Env": [_PATH], "Cmd": ["sh"]})
    for each, config in SERVERS.items():
        images.push(registry, each if "/" in each else f"library/{each}", layer, config)
