"""The operator's configuration: one file, over it the environment, checked whole before anything starts.

Every key stands with its default in ``config/previewbot.yaml``. ``PREVIEWBOT_GITHUB__APP_ID=1`` in the environment is
``github.app_id: 1`` in the file, and wins. Secrets are never written here, only the files that hold them.
The key of the apps' secrets may be in the environment instead.
"""

from __future__ import annotations

from previewbot.settings.places import (
    BuildKitSettings,
    CaddySettings,
    DockerSettings,
    GatewaySettings,
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
from previewbot.settings.reading import Faulty, load, read_secret
from previewbot.settings.stores import SECRETS_KEY, AwsSettings, ResourceSettings, SecretsSettings
from previewbot.settings.values import Amount, Duration, Section, Size, is_loopback
from previewbot.settings.whole import Settings

__all__ = [
    "SECRETS_KEY",
    "Amount",
    "AwsSettings",
    "BuildKitSettings",
    "CaddySettings",
    "DockerSettings",
    "Duration",
    "Faulty",
    "GatewaySettings",
    "GitHubSettings",
    "KubernetesSettings",
    "LogSettings",
    "PreviewSettings",
    "RegistrySettings",
    "ResourceSettings",
    "SecretsSettings",
    "Section",
    "ServerSettings",
    "Settings",
    "Size",
    "SizeSettings",
    "StorageSettings",
    "WorkerSettings",
    "is_loopback",
    "load",
    "read_secret",
]
