"""Secrets, resources and AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from previewbot.core import cloud
from previewbot.core.blueprint import ResourceType
from previewbot.core.resources import SERVERS
from previewbot.settings.values import Section

SECRETS_KEY = "PREVIEWBOT_SECRETS_KEY"
"""The variable that may have the key of the secrets. It is taken out of the environment as soon as it is read."""


class SecretsSettings(Section):
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


class AwsSettings(Section):
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


class ResourceSettings(Section):
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
