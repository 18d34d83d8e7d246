"""The operator's configuration: one file, over it the environment, checked whole before anything starts.

Every key stands with its default in ``config/previewbot.yaml``. ``PREVIEWBOT_GITHUB__APP_ID=1`` in the environment is
``github.app_id: 1`` in the file, and wins. Secrets are never written here, only the files that hold them.
The key of the apps' secrets may be in the environment instead.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from previewbot.core import cloud
from previewbot.core.blueprint import ResourceType
from previewbot.core.quantity import canonical
from previewbot.core.resources import SERVERS

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PREFIX = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_SIZES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d+)\s*(ms|s|m|h|d)", value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("a length of time such as 30s, 15m, 6h or 3d is needed")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _size(value: object) -> object:
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"(\d+)\s*(KiB|MiB|GiB)", value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("a size such as 512MiB or 2GiB is needed")
    return int(found[1]) * _SIZES[found[2]]


def _amount(value: object) -> object:
    """Bring an amount into the form in which the cluster keeps it: another one would look changed for ever."""
    written = canonical(str(value)) if isinstance(value, str | int | float) else ""
    if not written or written.startswith("-"):
        raise ValueError("an amount such as 20, 500m or 8Gi is needed")
    return written


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Amount = Annotated[str, BeforeValidator(_amount)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GitHubSettings(_Section):
    """Who previewbot is at GitHub."""

    app_id: int = Field(gt=0, description="The number of the GitHub App.")
    private_key_file: Path = Field(description="The App's private key (PEM), readable by previewbot alone.")
    webhook_secret_files: list[Path] = Field(
        min_length=1, max_length=2, description="The webhook secret; two while it is being changed."
    )
    api_url: str = Field(
        "https://api.github.com", pattern=r"^https?://", description="https://HOST/api/v3 on Enterprise."
    )


class ServerSettings(_Section):
    """Where previewbot itself listens, and how others reach it."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    public_url: str = Field("http://localhost:8000", pattern=r"^https?://", description="How people reach its pages.")
    pages_token_file: Path | None = Field(None, description="A token that opens the operator's pages from elsewhere.")


class StorageSettings(_Section):
    """What previewbot keeps on disk."""

    folder: Path = Field(Path("state"), description="The database, the mirrors of repositories and the logs of builds.")
    database_url: str | None = Field(None, description="postgresql+psycopg://… instead of SQLite in the folder.")
    keep_images: Duration = Field(timedelta(days=3), description="How long an image is kept that nothing uses.")
    keep_history: Duration = Field(
        timedelta(days=30), description="How long environments that are gone are remembered."
    )


class PreviewSettings(_Section):
    """Which pull requests get a preview, and where it is reached."""

    domain: str = Field("localhost", pattern=r"^[a-z0-9.-]+$", description="Previews are hosts below this domain.")
    scheme: Literal["http", "https"] = Field("http", description="How visitors reach previews.")
    port: int = Field(8080, ge=1, le=65535, description="The port that visitors use.")
    apps: list[str] = Field([], description="GitHub Apps whose pull requests get previews, such as dependabot.")
    drafts: bool = Field(default=False, description="Whether drafts get previews.")
    label: str = Field("preview", description="The label that asks for a preview, also for a draft.")
    label_required: bool = Field(default=False, description="Whether only pull requests with that label get one.")
    exclude_label: str = Field("no-preview", description="The label that forbids a preview.")
    branches: list[str] = Field([], description="Globs of base branches; none means all.")
    paths: list[str] = Field([], description="Globs of changed files; none means all.")
    drain: Duration = Field(
        timedelta(seconds=3), description="How long an old release goes on after its successor took over."
    )


class DockerSettings(_Section):
    """The engine that builds and runs."""

    host: str | None = Field(
        None, description="unix:///… or tcp://…; by default what DOCKER_HOST says, or the usual socket."
    )
    memory: Size = Field(512 * 1024**2, description="What one container may use.")
    cpus: float = Field(1.0, gt=0, description="What one container may use.")
    pids: int = Field(256, ge=16, description="Processes and threads of one container.")
    build_time_limit: Duration = Field(timedelta(minutes=15), description="How long one build may take.")
    builds_at_once: int = Field(2, ge=1, le=64, description="Builds that run at the same time.")


class GatewaySettings(_Section):
    """A Gateway of the Gateway API."""

    name: str = Field(description="Its name.")
    namespace: str = Field(description="Its namespace.")
    section: str | None = Field(None, description="The listener to attach to; by default all.")


class KubernetesSettings(_Section):
    """The cluster that environments run in: one namespace each."""

    kubeconfig: Path | None = Field(
        None, description="By default the cluster that previewbot is a pod of, else the usual kubeconfig."
    )
    context: str | None = Field(None, description="A context of the kubeconfig; by default its current one.")
    cpu: float = Field(1.0, gt=0, description="What one container may use.")
    memory: Size = Field(512 * 1024**2, description="What one container may use.")
    disk: Size = Field(2 * 1024**3, description="What one container may write to its node's disk.")
    cpu_request: float = Field(0.05, gt=0, description="What one container is promised.")
    memory_request: Size = Field(64 * 1024**2, description="What one container is promised.")
    quota: dict[str, Amount] = Field(
        {}, description="What one environment may use, as a ResourceQuota's hard; on top of previewbot's own."
    )
    run_as_user: int = Field(10001, ge=1, description="Who a program runs as whose image names no user by a number.")
    wait_for_room: Duration = Field(
        timedelta(minutes=2), description="How long a program waits for a node that has room, until that is told."
    )
    wait_for_image: Duration = Field(
        timedelta(seconds=30), description="How long its node tries to pull its image, until that is told."
    )
    runtime_class: str | None = Field(None, description="A RuntimeClass with more isolation, such as gvisor.")
    ingress_class: str | None = Field(None, description="By default the cluster's default one.")
    ingress_annotations: dict[str, str] = Field({}, description="Annotations of every Ingress or HTTPRoute.")
    tls_secret: str | None = Field(None, description="A wildcard certificate's Secret that each namespace has.")
    cluster_issuer: str | None = Field(None, description="A ClusterIssuer of cert-manager, for one certificate a host.")
    gateway: GatewaySettings | None = Field(None, description="HTTPRoutes on this Gateway instead of Ingresses.")
    ingress_namespaces: list[str] = Field(
        ["ingress-nginx", "traefik"], description="Where visitors come from: the ingress controller's namespaces."
    )
    ingress_networks: list[IPvAnyNetwork] = Field([], description="The same, where it is no pod.")
    dns_namespaces: list[str] = Field(["kube-system"], description="Where the cluster's DNS is.")
    dns_networks: list[IPvAnyNetwork] = Field([], description="The same, where it is no pod.")
    allowed_networks: list[IPvAnyNetwork] = Field(
        [], description="Networks that previews may reach, besides the internet."
    )
    denied_networks: list[IPvAnyNetwork] = Field(
        [], description="Networks that previews may not reach, besides private ones and the cluster's API."
    )

    @field_validator("cluster_issuer")
    @classmethod
    def _one_certificate(cls, issuer: str | None, info: ValidationInfo) -> str | None:
        if issuer and info.data.get("tls_secret"):
            raise ValueError("cannot be set beside tls_secret: use one of them")
        return issuer


class BuildKitSettings(_Section):
    """What builds images, where environments run in a cluster."""

    address: str = Field(
        "unix:///run/buildkit/buildkitd.sock",
        description="unix:///…, tcp://HOST:PORT, kube-pod://POD?namespace=NAME or docker-container://NAME.",
    )
    tls_ca_file: Path | None = Field(None, description="For tcp://: who may have signed BuildKit's certificate.")
    tls_certificate_file: Path | None = Field(None, description="For tcp://: previewbot's own certificate.")
    tls_key_file: Path | None = Field(None, description="For tcp://: the key of that certificate.")
    buildctl: str = Field("buildctl", description="BuildKit's client: a path, or a name to find on PATH.")
    cache: Literal["registry", "inline", "none"] = Field(
        "registry", description="Where layers are kept beside BuildKit's own disk."
    )
    build_time_limit: Duration = Field(timedelta(minutes=15), description="How long one build may take.")
    builds_at_once: int = Field(2, ge=1, le=64, description="Builds that run at the same time.")

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if not re.match(r"(unix|tcp|kube-pod|docker-container)://.", address):
            raise ValueError("an address such as unix:///run/buildkit/buildkitd.sock or tcp://HOST:1234 is needed")
        return address

    @model_validator(mode="after")
    def _proof(self) -> Self:
        files = (self.tls_ca_file, self.tls_certificate_file, self.tls_key_file)
        if any(files) and not all(files):
            raise ValueError("tls_ca_file, tls_certificate_file and tls_key_file belong together: set all three")
        host = urlsplit(self.address).hostname or ""
        if self.address.startswith("tcp://") and not all(files) and not _is_loopback(host):
            raise ValueError(
                f"address {self.address} leaves this machine, and whoever reaches BuildKit owns what it builds:"
                " set tls_ca_file, tls_certificate_file and tls_key_file"
            )
        return self


class RegistrySettings(_Section):
    """Where images are kept, where environments run in a cluster."""

    prefix: str | None = Field(
        None, description="A registry, and a folder in it, such as registry.example.com/previews."
    )
    username: str | None = Field(None, description="Who previewbot is there.")
    password_file: Path | None = Field(None, description="The password, in a file that is read at each use.")
    docker_config_file: Path | None = Field(None, description="What `docker login` writes, instead of both.")
    pull_secret_file: Path | None = Field(
        None, description="What `docker login` writes, with a login that may only pull: the cluster's."
    )
    ca_file: Path | None = Field(None, description="Certificates that are trusted besides the machine's.")
    plain_http: bool = Field(default=False, description="Speak HTTP without encryption: on this machine alone.")

    @field_validator("prefix")
    @classmethod
    def _has_host(cls, prefix: str | None) -> str | None:
        host = (prefix or "").partition("/")[0]
        is_host = bool(set(host) & {".", ":"}) or host == "localhost"
        if prefix is not None and not (is_host and _PREFIX.fullmatch(prefix)):
            raise ValueError("a registry's host and a folder in it, such as registry.example.com/previews, are needed")
        return prefix

    @model_validator(mode="after")
    def _fits(self) -> Self:
        host = (self.prefix or "").partition("/")[0].partition(":")[0]
        if self.plain_http and not _is_loopback(host):
            raise ValueError(
                f"plain_http would send credentials to {host or 'no host'} without encryption: it is possible for a"
                " registry on this machine alone (localhost, 127.0.0.1); give others a certificate, and ca_file"
            )
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together: set both, or docker_config_file")
        if self.username and self.docker_config_file:
            raise ValueError("username and docker_config_file cannot both be set: use one of them")
        return self


SECRETS_KEY = "PREVIEWBOT_SECRETS_KEY"
"""The variable that may have the key of the secrets. It is taken out of the environment as soon as it is read."""


class SecretsSettings(_Section):
    """Where the values of the apps' secrets are."""

    store: Literal["local", "aws-ssm", "aws-secrets-manager"] | None = Field(
        None,
        description="Encrypted in a file of the storage folder, or in a store of AWS; by default in AWS's Parameter"
        " Store where aws.region is set and no key of a file is, else in the file.",
    )
    key_file: Path | None = Field(
        None,
        description=f"32 bytes in base64 that open them; by default {SECRETS_KEY} in the environment, or else a file in"
        " the storage folder, made once.",
    )
    repositories: dict[str, str] = Field(
        {}, description="Which repository (owner/name) may have the secrets of an app that is not called like it."
    )


class SizeSettings(_Section):
    """What one container of a named size may use."""

    cpu: float = Field(gt=0, description="Cores.")
    memory: Size = Field(ge=16 * 1024**2, description="Such as 256MiB.")


class AwsSettings(_Section):
    """Where previewbot works in AWS. Its credentials are found as AWS's own tools find them, and are not set here."""

    account: str | None = Field(
        None, pattern=r"^\d{12}$", description="The number of the account: credentials of another are refused."
    )
    region: str | None = Field(None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="Such as eu-central-1.")
    prefix: str = Field(
        "previewbot",
        pattern=r"^[a-z][a-z0-9]{0,11}$",
        description="How the name of everything in there begins.",
    )
    kms_key: str | None = Field(
        None, pattern=r"^arn:[^\s]+$", description="The ARN of the key that encrypts it; by default AWS's own keys do."
    )
    permissions_boundary: str | None = Field(
        None, pattern=r"^arn:[^\s]+$", description="The ARN of the policy beyond which no user that it makes can go."
    )
    endpoint_url: str | None = Field(None, description="Instead of AWS's own addresses: a private endpoint.")

    @field_validator("prefix")
    @classmethod
    def _is_not_their_own(cls, prefix: str) -> str:
        if prefix.startswith(("aws", "ssm")):
            raise ValueError("AWS keeps names that begin with aws or ssm for itself")
        return prefix


class ResourceSettings(_Section):
    """What the databases of previews are made of."""

    aws: list[ResourceType] = Field(
        [], description="The types that come from AWS instead of a server in the preview: storage, queue."
    )

    images: dict[ResourceType, str] = Field(
        {}, description="Images in a registry of your own, without their tags, by the type of resource."
    )

    @field_validator("aws")
    @classmethod
    def _are_in_clouds(cls, types: list[ResourceType]) -> list[ResourceType]:
        if other := [each for each in types if each not in cloud.TYPES]:
            raise ValueError(f"{', '.join(other)} cannot come from AWS; {' and '.join(cloud.TYPES)} can")
        return types

    @field_validator("images")
    @classmethod
    def _are_servers(cls, images: dict[ResourceType, str]) -> dict[ResourceType, str]:
        for each, image in images.items():
            if each not in SERVERS:
                raise ValueError(f"a {each} has no image; there are {', '.join(SERVERS)}")
            if ":" in image.rpartition("/")[2] or "@" in image:
                raise ValueError(f"{image} must have neither a tag nor a digest: the version is the blueprint's")
        return images


class CaddySettings(_Section):
    """The front door."""

    admin: str = Field("http://127.0.0.1:2019", description="Caddy's admin API.")
    listen: list[str] = Field([":8080"], min_length=1, description="Where Caddy listens for previews.")
    proxies: list[IPvAnyNetwork] = Field([], description="Networks of proxies before Caddy that are believed.")


class WorkerSettings(_Section):
    """How the work is done."""

    at_once: int = Field(8, ge=1, le=256, description="Environments that are worked on at the same time.")
    sweep_every: Duration = Field(
        timedelta(minutes=3), description="How often previewbot looks for what no event told it."
    )


class LogSettings(_Section):
    """What previewbot says of itself."""

    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is said.")


class Settings(BaseSettings):
    """Everything, frozen."""

    model_config = SettingsConfigDict(env_prefix="PREVIEWBOT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    instance: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,32}$",
        description="Tells two previewbots on one engine apart; by default the App's number.",
    )
    runtime: Literal["docker", "kubernetes"] = Field("docker", description="Where environments run.")
    github: GitHubSettings
    server: ServerSettings = Field(default_factory=ServerSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    previews: PreviewSettings = Field(default_factory=PreviewSettings)
    docker: DockerSettings = Field(default_factory=DockerSettings)
    kubernetes: KubernetesSettings = Field(default_factory=KubernetesSettings)
    buildkit: BuildKitSettings = Field(default_factory=BuildKitSettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    sizes: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")], SizeSettings] = Field(
        {}, description="What blueprints may name as a size; without one, what the runtime's section says."
    )
    secrets: SecretsSettings = Field(default_factory=SecretsSettings)
    resources: ResourceSettings = Field(default_factory=ResourceSettings)
    aws: AwsSettings = Field(default_factory=AwsSettings)
    caddy: CaddySettings = Field(default_factory=CaddySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    _secrets_key: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _aws_is_there(self) -> Self:
        if self.secrets.store not in (None, "local") and not self.aws.region:
            raise ValueError(f"secrets.store is {self.secrets.store}, and nobody says where: set aws.region")
        if self.secrets.store not in (None, "local") and self.secrets.key_file:
            raise ValueError("secrets.key_file opens the local store alone; AWS encrypts with aws.kms_key, or its own")
        if self.resources.aws and not (self.aws.account and self.aws.region):
            raise ValueError("resources.aws needs to know where: set aws.account and aws.region")
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        promised = self.kubernetes
        for name, size in self.sizes.items():
            if size.cpu < promised.cpu_request or size.memory < promised.memory_request:
                raise ValueError(f"sizes.{name} is less than kubernetes.cpu_request and memory_request promise")
        return self

    @property
    def instance_name(self) -> str:
        """What this previewbot's things are labelled with."""
        return self.instance or f"app-{self.github.app_id}"

    @property
    def secrets_key(self) -> str | None:
        """The key of the secrets, where the environment has it."""
        return self._secrets_key

    @property
    def secrets_store(self) -> Literal["local", "aws-ssm", "aws-secrets-manager"]:
        """Where the values of secrets are."""
        has_key = bool(self.secrets.key_file or self._secrets_key)
        return self.secrets.store or ("aws-ssm" if self.aws.region and not has_key else "local")

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.storage.database_url or f"sqlite+aiosqlite:///{self.storage.folder.absolute() / 'previewbot.db'}"

    @classmethod
    def settings_customise_sources(  # noqa: PLR0917 - the signature is pydantic's
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings


class Faulty(Exception):  # noqa: N818 - it is the configuration that is
    """The configuration cannot be used; ``faults`` are all its faults, each with the way to mend it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(file: Path | None) -> Settings:
    """Read the configuration; raises ``Faulty`` with every fault at once. Relative paths start where it is run."""
    values = _read(file) if file else {}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise Faulty(tuple(_fault(file, each) for each in error.errors(include_url=False))) from None
    settings._secrets_key = os.environ.pop(SECRETS_KEY, None)  # noqa: SLF001 - nobody else sets it
    if settings.secrets_key and (settings.secrets.key_file or settings.secrets.store not in (None, "local")):
        other = "secrets.key_file" if settings.secrets.key_file else f"secrets.store: {settings.secrets.store}"
        raise Faulty((f"environment: {SECRETS_KEY} and {other} exclude each other: set one of them",))
    return settings


def read_secret(path: Path) -> bytes:
    """Read a file that holds a secret, without the line break at its end; raises ``Faulty``."""
    try:
        secret = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Faulty((f"{path}: cannot be read: {error.strerror}",)) from None
    if not secret:
        raise Faulty((f"{path}: is empty; a secret is needed",))
    return secret


def _read(file: Path) -> dict[str, Any]:
    try:
        values = YAML(typ="safe", pure=True).load(file.read_bytes())
    except OSError as error:
        raise Faulty((f"{file}: cannot be read: {error.strerror}",)) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise Faulty((f"{place}: is not YAML: {error.problem}",)) from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise Faulty((f"{file}: is not YAML: {error}",)) from None
    if not isinstance(values, dict):
        raise Faulty((f"{file}: must hold keys and values, as config/previewbot.yaml does",))
    return values


def _fault(file: Path | None, error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    variable = "PREVIEWBOT_" + "__".join(str(part).upper() for part in error["loc"] if isinstance(part, str))
    said = {"missing": "is missing", "extra_forbidden": "is not a setting"}.get(error["type"], error["msg"])
    said = said.removeprefix("Value error, ")
    return f"{file or 'environment'}: {where} {said}" + (f" (or set {variable})" if error["type"] == "missing" else "")
