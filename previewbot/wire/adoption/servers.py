"""Databases and other servers by their images, and what in a variable leads to one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from previewbot.core.blueprint import ResourceType
from previewbot.core.references import RESOURCE_FIELDS
from previewbot.wire.adoption import secrecy
from previewbot.wire.adoption.interpolation import UNKNOWN

_IMAGES = {
    "postgres": ResourceType.POSTGRES,
    "postgresql": ResourceType.POSTGRES,
    "mysql": ResourceType.MYSQL,
    "mysql-server": ResourceType.MYSQL,
    "redis": ResourceType.REDIS,
    "rabbitmq": ResourceType.RABBITMQ,
    "minio": ResourceType.STORAGE,
    "localstack": ResourceType.STORAGE,
    "elasticmq": ResourceType.QUEUE,
    "elasticmq-native": ResourceType.QUEUE,
}
_ALIKE = {
    "mariadb": ResourceType.MYSQL,
    "percona": ResourceType.MYSQL,
    "valkey": ResourceType.REDIS,
    "keydb": ResourceType.REDIS,
    "redis-stack": ResourceType.REDIS,
    "redis-stack-server": ResourceType.REDIS,
    "localstack-pro": ResourceType.STORAGE,
    "postgis": ResourceType.POSTGRES,
    "pgvector": ResourceType.POSTGRES,
    "timescaledb": ResourceType.POSTGRES,
    "timescaledb-ha": ResourceType.POSTGRES,
}
"""Images that speak the same language and are not the same: they have no version of it."""
_VERSION = re.compile(r"v?([0-9]{1,4}(?:\.[0-9]{1,4}){0,2})(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Server:
    """What an image is in a blueprint."""

    type: ResourceType
    version: str | None
    odd: str | None
    """What of the image is not carried over, in a few words."""


def of_image(image: str) -> Server | None:
    """Say what an image is, where it is one of the known servers."""
    whole, _, pinned = image.partition("@")
    path, _, last = whole.rpartition("/")
    name, _, tag = last.partition(":")
    if name in _ALIKE:
        return Server(_ALIKE[name], None, f"is a {_ALIKE[name]} here, which is not the same")
    if name not in _IMAGES:
        return None
    type_ = _IMAGES[name]
    found = _VERSION.fullmatch(tag)
    version = found[1] if found and RESOURCE_FIELDS[type_][0] == "url" else None
    if pinned:
        return Server(type_, version, "previewbot takes the version, never a digest")
    if path and path not in ("docker.io/library", "library", "docker.io", "minio", "localstack"):
        return Server(type_, version, f"is the operator's usual {type_} here")
    if found and found[2]:
        return Server(type_, version, f"the variant `{found[2][:40]}` of the image is the usual one here")
    return Server(type_, version, None)


@dataclass(frozen=True, slots=True)
class Known:
    """A server of the foreign file: what its resource is called, and what the file told it."""

    resource: str
    type: ResourceType
    told: Mapping[str, str] = field(default_factory=dict)
    """``user``, ``password``, ``name`` to what is written there, as it is written."""
    queue: str | None = None
    """The resource with its queues, where it has those too."""

    def ask(self, what: str) -> str:
        """A reference to it."""
        return f"${{resources.{self.resource}.{what}}}"


_VARIABLES = {
    "user": ("POSTGRES_USER", "POSTGRESQL_USERNAME", "MYSQL_USER", "MARIADB_USER", "RABBITMQ_DEFAULT_USER"),
    "password": (
        "POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD", "MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_PASSWORD",
        "MARIADB_ROOT_PASSWORD", "RABBITMQ_DEFAULT_PASS", "REDIS_PASSWORD",
    ),
    "name": ("POSTGRES_DB", "POSTGRESQL_DATABASE", "MYSQL_DATABASE", "MARIADB_DATABASE"),
    "access_key": ("MINIO_ROOT_USER",),
    "secret_key": ("MINIO_ROOT_PASSWORD",),
}  # fmt: skip
TOLD = {variable: what for what, variables in _VARIABLES.items() for variable in variables}
"""The variables of the usual images, and what they are when somebody asks for them."""

_URL = re.compile(r"([a-z][\w+:-]{0,40})://(?:([^/@]*)@)?([^/:@?#,]+)(?::([^/?#,]*))?(/[^?#]*)?(?:\?(.*))?", re.ASCII)
_SPOKEN = {
    ResourceType.POSTGRES: ("postgres", "postgresql"),
    ResourceType.MYSQL: ("mysql",),
    ResourceType.REDIS: ("redis",),
    ResourceType.RABBITMQ: ("amqp",),
}
_ABOUT_HOST = re.compile(r"host|server|addr|url|endpoint|broker|node", re.IGNORECASE)
_ABOUT = (
    ("password", re.compile(r"pass(word)?$|pwd$|passwd$", re.IGNORECASE)),
    ("user", re.compile(r"user(name)?$|login$", re.IGNORECASE)),
    ("name", re.compile(r"(db|database)(_?name)?$|_name$", re.IGNORECASE)),
    ("access_key", re.compile(r"access_?key(_?id)?$", re.IGNORECASE)),
    ("secret_key", re.compile(r"secret(_?access)?_?key$", re.IGNORECASE)),
)
_BUCKET = re.compile(r"bucket(_?name)?$", re.IGNORECASE)
_REGION = re.compile(r"region$", re.IGNORECASE)
_QUEUE = re.compile(r"queue", re.IGNORECASE)
_HOST = re.compile(r"([^\s:/@,]+)(?::([0-9]{1,5}))?", re.ASCII)


def led_to(text: str, servers: Mapping[str, Known]) -> Known | None:
    """The server that a value leads to by its URL or its host."""
    found = _URL.fullmatch(text)
    host = found[3] if found else (alone[1] if (alone := _HOST.fullmatch(text)) else "")
    return servers.get(host)


def refer(name: str, text: str, servers: Mapping[str, Known]) -> str | None:
    """Write a value that leads to a server as references to it; ``None`` where it does not, or not in a known way."""
    if found := _URL.fullmatch(text):
        return _url(name, found, servers[found[3]]) if found[3] in servers else None
    if (alone := _HOST.fullmatch(text)) and alone[1] in servers:
        server = servers[alone[1]]
        if server.type not in _SPOKEN:
            return None
        if alone[2]:
            return f"{server.ask('host')}:{server.ask('port')}"
        return server.ask("host") if _ABOUT_HOST.search(name) else None
    return None


def _url(name: str, found: re.Match[str], server: Known) -> str | None:
    scheme, login, _, _, path, query = found.groups()
    if server.type not in _SPOKEN:
        return _cloud(name, server)
    if query and (UNKNOWN in query or secrecy.looks(f"?{query}")):
        return None
    tail = f"?{query}" if query else ""
    if server.type is ResourceType.RABBITMQ and scheme in _SPOKEN[server.type]:
        return server.ask("url") if (path or "/") in ("/", "//", "/%2f", "/%2F") and not tail else None
    if scheme in _SPOKEN[server.type] and (server.type is not ResourceType.REDIS or (path or "/") in ("/", "/0")):
        return server.ask("url") + tail
    if UNKNOWN in scheme or (server.type is ResourceType.REDIS and UNKNOWN in (path or "")):
        return None
    place = f"{server.ask('host')}:{server.ask('port')}"
    if server.type is ResourceType.REDIS:
        return f"{scheme}://:{server.ask('password')}@{place}{path or ''}{tail}"
    whom = f"{server.ask('user')}:{server.ask('password')}@" if login else ""
    last = "/" if server.type is ResourceType.RABBITMQ else f"/{server.ask('name')}" if path else ""
    return f"{scheme}://{whom}{place}{last}{tail}"


def _cloud(name: str, server: Known) -> str:
    if server.type is ResourceType.QUEUE:
        return server.ask("url") if _QUEUE.search(name) else server.ask("endpoint")
    if server.queue and (_QUEUE.search(name) or "sqs" in name.lower()):
        asked = "url" if _QUEUE.search(name) else "endpoint"
        return f"${{resources.{server.queue}.{asked}}}"
    return server.ask("endpoint")


def told(name: str, written: str, near: Iterable[Known]) -> str | None:
    """Write a variable with a user, a password or the like of a server that the same program works with."""
    servers = list(near)
    for what, pattern in _ABOUT:
        for server in servers if pattern.search(name) else ():
            if written and server.told.get(what) == written:
                return server.ask(what)
    clouds = [each for each in servers if each.type not in _SPOKEN]
    for server in clouds:
        if _REGION.search(name):
            return server.ask("region")
        for what, pattern in _ABOUT:
            if what.endswith("_key") and pattern.search(name):
                return server.ask(what)
        if server.type is ResourceType.STORAGE and _BUCKET.search(name):
            return server.ask("bucket")
    return None
