"""What each type of resource is when it runs inside an environment: its image, its port, and how it is reached.

The environment variables are those that the official images document. A password is made for each environment and
is never here: where one belongs stands its seal, and the value is put there when the resource is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from string import Formatter

from previewbot.core.blueprint import Health, Resource, ResourceType
from previewbot.core.cloud import Cloud
from previewbot.core.ids import Key, digest, slug
from previewbot.core.model import ReleaseSpec, ServiceSpec, Size
from previewbot.core.secrets import Seal, Template, Versions, divide

USER = "app"
"""The user, and the name of the database, in every one."""
_PLACE = "{password}"
"""Where the password of an environment belongs."""
_REDIS = r"""umask 077
printf 'requirepass %s\nappendonly yes\ndir /data\n' "$REDIS_PASSWORD" > /tmp/redis.conf
exec redis-server /tmp/redis.conf"""
"""Its settings are read from a file, since an argument would show in every list of programs; and the server itself is
told to end, so that it writes down what it still has."""
_VERSITY = r"""umask 077
mkdir -p /data/buckets/app /data/facts
exec versitygw posix --sidecar /data/facts /data/buckets"""
"""A bucket is a folder; what is known of its objects is beside it, since not every file system takes attributes."""
_REGION = "us-east-1"
"""What a request is signed for, where there are no regions."""
_SERVER = {"host": "{host}", "port": "{port}", "user": "{user}", "password": _PLACE, "name": USER}
"""What any server can be asked for, beside its URL."""
_LONGEST_VERSION = 20
"""Letters of it in a name."""
_START = timedelta(minutes=3)
"""How long a server may take to its first answer: databases make their files first."""


@dataclass(frozen=True, slots=True)
class Kit:
    """One type of server."""

    image: str
    """Without its version."""
    version: str
    port: int
    facts: Mapping[str, str]
    """What a reference can ask for; ``{host}``, ``{port}``, ``{user}`` and ``{password}`` stand for their values."""
    folder: str
    """Where its data is."""
    uid: int
    """Whom it runs as: the user that the official image has for it, never root."""
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    """What takes the command, where that of the image will not do."""
    user: str = USER


KITS: Mapping[ResourceType, Kit] = {
    ResourceType.POSTGRES: Kit(
        "postgres",
        "17",
        5432,
        {**_SERVER, "url": f"postgresql://{{user}}:{{password}}@{{host}}:{{port}}/{USER}"},
        "/var/lib/postgresql/data",
        999,
        # A folder below the volume's own, which may hold what its file system put there.
        {
            "POSTGRES_USER": USER,
            "POSTGRES_DB": USER,
            "POSTGRES_PASSWORD": _PLACE,
            "PGDATA": "/var/lib/postgresql/data/pgdata",
        },
    ),
    ResourceType.MYSQL: Kit(
        "mysql",
        "8.4",
        3306,
        {**_SERVER, "url": f"mysql://{{user}}:{{password}}@{{host}}:{{port}}/{USER}"},
        "/var/lib/mysql",
        999,
        {
            "MYSQL_USER": USER,
            "MYSQL_DATABASE": USER,
            "MYSQL_PASSWORD": _PLACE,
            # One that the server made would stand in its log. From elsewhere than its container, there is no root.
            "MYSQL_ROOT_PASSWORD": _PLACE,
            "MYSQL_ROOT_HOST": "localhost",
        },
        # With what it counts of itself, its first start needs more memory than a container may use by default, and one
        # that is killed in its first start is ready after the next, without a user.
        ("mysqld", "--performance-schema=OFF"),
    ),
    ResourceType.REDIS: Kit(
        "redis",
        "7",
        6379,
        {**_SERVER, "url": "redis://:{password}@{host}:{port}/0"},
        "/data",
        999,
        {"REDIS_PASSWORD": _PLACE},
        ("sh", "-c", _REDIS),
        user="default",
    ),
    ResourceType.RABBITMQ: Kit(
        "rabbitmq",
        "4",
        5672,
        {**_SERVER, "url": "amqp://{user}:{password}@{host}:{port}/"},
        "/var/lib/rabbitmq",
        999,
        {"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": _PLACE},
    ),
    ResourceType.STORAGE: Kit(
        "versity/versitygw",
        "v1.8.0",
        7070,
        {
            "endpoint": "http://{host}:{port}",
            "bucket": USER,
            "url": f"http://{{host}}:{{port}}/{USER}",
            "access_key": "{user}",
            "secret_key": _PLACE,
            "region": _REGION,
        },
        "/data",
        999,
        {"ROOT_ACCESS_KEY": USER, "ROOT_SECRET_KEY": _PLACE, "VGW_PORT": ":7070", "VGW_QUIET": "true"},
        (_VERSITY,),
        ("sh", "-c"),
    ),
    ResourceType.QUEUE: Kit(
        "softwaremill/elasticmq",
        "1.6.16",
        9324,
        {
            "endpoint": "http://{host}:{port}",
            "name": USER,
            "url": f"http://{{host}}:{{port}}/000000000000/{USER}",
            "access_key": "{user}",
            "secret_key": _PLACE,
            "region": _REGION,
        },
        "/data",
        1001,
        # What its image has as configuration stays: these settings are laid over it.
        command=(
            "-Dnode-address.host=*",
            f"-Dqueues.{USER}.fifo=false",
            "-Dqueues-storage.enabled=true",
            "-Dqueues-storage.path=/data/queues.conf",
            "-Dmessages-storage.enabled=true",
            "-Dmessages-storage.uri=jdbc:h2:/data/messages",
            "-Drest-stats.enabled=false",
        ),
    ),
}


UNVERSIONED = (ResourceType.STORAGE, ResourceType.QUEUE, ResourceType.VOLUME)
"""The types of which an app cannot choose the version."""
SERVERS = tuple(KITS)
"""The types that run as a server of their own; a volume is only mounted."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What resources are made of: the operator's images, for those that are not the usual ones."""

    images: Mapping[ResourceType, str] = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    """The operator's sizes by their names."""
    cloud: Cloud | None = None
    """What comes from a cloud, where anything does."""

    def serves(self, resource: Resource) -> bool:
        """Whether a resource runs as a server in the environment."""
        return resource.type in KITS and not self.clouds(resource)

    def clouds(self, resource: Resource) -> bool:
        """Whether a resource comes from a cloud."""
        return self.cloud is not None and self.cloud.has(resource)

    def size(self, name: str | None) -> Size | None:
        """The size of a name that is known, or none in particular."""
        return self.sizes[name] if name is not None else None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a resource belongs."""

    key: Key
    app: str
    shelf: Shelf


def fields(resource: Resource, versions: Versions, spot: Spot) -> Mapping[str, Template]:
    """What a reference to a resource can ask for."""
    if spot.shelf.cloud and spot.shelf.cloud.has(resource):
        return spot.shelf.cloud.fields(resource, spot.key, versions)
    password = versions.password(resource.name)
    kit = KITS[resource.type]
    known: dict[str, Template] = {"host": (resource.name,), "port": (str(kit.port),), "user": (kit.user,)}
    known["password"] = (password,)
    return {name: fill(text, known) for name, text in kit.facts.items()}


def fill(text: str, told: Mapping[str, Template]) -> Template:
    """Put templates in the places of ``{name}`` in a text of a kit."""
    parts: list[str | Seal] = []
    for literal, name, _, _ in Formatter().parse(text):
        parts += [literal] if literal else []
        parts += told[name] if name else ()
    return tuple(parts)


def volume(resource: Resource, versions: Versions, shelf: Shelf) -> str:
    """The name of the volume with its data: ``db-17-0a1b2c``.

    Each version has its own, since no server reads the files of all others; and so has each password, since a server
    keeps the one that its files were made with: with a new one come new files.
    """
    if not shelf.serves(resource):
        return resource.name
    number = resource.version or KITS[resource.type].version
    own = digest(number, versions.password(resource.name).version, length=6)
    return f"{resource.name}-{slug(number, _LONGEST_VERSION)}-{own}"


def server(resource: Resource, versions: Versions, spot: Spot) -> ReleaseSpec:
    """A server as a release of its own."""
    kit, password = KITS[resource.type], versions.password(resource.name)
    env, sealed = divide({name: fill(value, {"password": (password,)}) for name, value in kit.env.items()})
    service = ServiceSpec(
        name=resource.name,
        image=f"{spot.shelf.images.get(resource.type, kit.image)}:{resource.version or kit.version}",
        build=None,
        command=kit.command,
        port=kit.port,
        host=None,
        health=Health(timeout=_START),
        env=env,
        replicas=1,
        size=spot.shelf.size(resource.size),
        sealed=sealed,
        volumes={kit.folder: volume(resource, versions, spot.shelf)},
        user=kit.uid,
        entrypoint=kit.entrypoint,
    )
    revision = digest("resource-1", repr(service), length=12)
    return ReleaseSpec(spot.key, revision, spot.app, "", (service,), resource=resource.name)
