"""All settings together, and what holds between them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from previewbot.settings.places import (
    BuildKitSettings,
    CaddySettings,
    DockerSettings,
    KubernetesSettings,
    RegistrySettings,
)
from previewbot.settings.previews import (
    GitHubSettings,
    LogSettings,
    PreviewSettings,
    ServerSettings,
    SizeSettings,
    StorageSettings,
    WorkerSettings,
)
from previewbot.settings.stores import AwsSettings, ResourceSettings, SecretsSettings


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
        return self.storage.database_url or f"sqlite:///{self.storage.folder.absolute() / 'previewbot.db'}"

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
