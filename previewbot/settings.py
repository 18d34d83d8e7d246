"""The operator's configuration: one file, over it the environment, checked whole before anything starts.

Every key stands with its default in ``config/previewbot.yaml``. ``PREVIEWBOT_GITHUB__APP_ID=1`` in the environment is
``github.app_id: 1`` in the file, and wins. Secrets are never written here, only the files that hold them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
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


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]


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
    runtime: Literal["docker"] = Field("docker", description="Where environments run.")
    github: GitHubSettings
    server: ServerSettings = Field(default_factory=ServerSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    previews: PreviewSettings = Field(default_factory=PreviewSettings)
    docker: DockerSettings = Field(default_factory=DockerSettings)
    caddy: CaddySettings = Field(default_factory=CaddySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @property
    def instance_name(self) -> str:
        """What this previewbot's things are labelled with."""
        return self.instance or f"app-{self.github.app_id}"

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
    """Read the configuration; raises ``Faulty`` with every fault at once. Paths in it are relative to the file."""
    values = _read(file) if file else {}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise Faulty(tuple(_fault(file, each) for each in error.errors(include_url=False))) from None
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
