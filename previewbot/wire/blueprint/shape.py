"""The shape of ``previewbot.yaml``: every key, what it takes, and what it means.

The JSON Schema and ``deploy/blueprint.md`` are made from this.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from previewbot.wire.blueprint.shape_parts import (
    HooksShape,
    ResourceShape,
    ServiceShape,
    Shape,
)
from previewbot.wire.blueprint.texts import (
    AppName,
    Chosen,
    Domain,
    EnvironmentName,
    FileGlobs,
    Globs,
    OnOrOff,
    OwnVariable,
    ResourceName,
    ServiceName,
    Valueless,
    short,
)


class SecretShape(Shape):
    """How one secret comes to be; its value never stands here."""

    generate: int | None = Field(
        None,
        ge=16,
        le=128,
        description="Make one of so many characters for each environment, and keep it; without this, somebody sets it.",
        examples=[32],
    )


class ServiceOverrideShape(Shape):
    """What one service may set differently in one environment, and nothing else."""

    size: Chosen | None = Field(None, description="One of the operator's sizes.", examples=["large"])
    replicas: int | None = Field(None, ge=1, le=10, description="How many of it run.", examples=[3])
    schedule: OnOrOff | None = Field(None, description="Whether a cron service's timetable holds.", examples=[False])


class ResourceOverrideShape(Shape):
    """What one resource may set differently in one environment, and nothing else."""

    size: Chosen | None = Field(None, description="One of the operator's sizes.", examples=["large"])
    backups: Chosen | None = Field(
        None, description="One of the operator's backup policies; never in `preview`.", examples=["daily"]
    )


class EnvironmentShape(Shape):
    """How one environment differs from the others: what is not listed here is the same in all of them."""

    domain: Domain | None = Field(
        None,
        description="Its host name; by default one of the operator's. Never in `preview`.",
        examples=["shop.example.com"],
    )
    services: dict[ServiceName, ServiceOverrideShape] = Field(
        {}, max_length=20, description="Services that differ, by name.", examples=[{"web": {"replicas": 3}}]
    )
    resources: dict[ResourceName, ResourceOverrideShape] = Field(
        {}, max_length=20, description="Resources that differ, by name.", examples=[{"db": {"size": "large"}}]
    )


class PreviewsShape(Shape):
    """Which pull requests get a preview, where that differs from the operator's rules."""

    drafts: bool | None = Field(None, description="Whether drafts get one.", examples=[True])
    label: str | None = Field(
        None, max_length=50, description="The label that asks for one; empty for none.", examples=["preview"]
    )
    label_required: bool | None = Field(
        None, description="Whether only pull requests with that label get one.", examples=[True]
    )
    exclude_label: str | None = Field(
        None, max_length=50, description="The label that forbids one; empty for none.", examples=["no-preview"]
    )
    branches: Globs | None = Field(None, description="Globs of base branches; empty for all.", examples=[["main"]])
    paths: FileGlobs | None = Field(
        None,
        description="Globs of changed files, where `*` stands for anything, `/` included; empty for all.",
        examples=[["web/**"]],
    )


LIST, MAPPING = "a list", "keys and values"
"""Names of the two ways to write ``secrets``: no key of the file has a space in it."""

Secrets = Annotated[
    Annotated[list[OwnVariable], Tag(LIST), Field(max_length=100)]
    | Annotated[dict[OwnVariable, Annotated[SecretShape, Valueless]], Tag(MAPPING), Field(max_length=100)],
    Discriminator(lambda value: LIST if isinstance(value, list) else MAPPING),
]


class BlueprintShape(Shape):
    """One app: what `previewbot.yaml` says."""

    version: Literal[1] = Field(description="The version of this format: 1.", examples=[1])
    app: AppName | None = Field(
        None, description="The app's name in URLs; by default the repository's.", examples=["shop"]
    )
    services: dict[ServiceName, ServiceShape] = Field(
        min_length=1, max_length=20, description="What runs, by name.", examples=[{"web": {"build": ".", "port": 8080}}]
    )
    resources: dict[ResourceName, Annotated[ResourceShape, short("type", ResourceShape)]] = Field(
        {},
        max_length=20,
        description="What an environment has for itself beside its services, by name; a text is the type alone. A "
        "resource never has the name of a service: both are hosts.",
        examples=[{"db": {"type": "postgres", "version": "16"}, "cache": "redis"}],
    )
    secrets: Secrets = Field(
        {},
        description="Secrets that are made and not set, and others where you like: names with what is said of each, or "
        "a list of names.",
        examples=[{"SESSION_KEY": {"generate": 32}}],
    )
    hooks: HooksShape = Field(
        HooksShape(),
        description="Commands that run at the turns of an environment's life.",
        examples=[{"release": {"service": "api", "command": ["./migrate"]}}],
    )
    environments: dict[EnvironmentName, EnvironmentShape] = Field(
        {},
        max_length=20,
        description="How environments differ, by name; `preview` means all previews.",
        examples=[{"production": {"domain": "shop.example.com"}}],
    )
    previews: PreviewsShape = Field(
        PreviewsShape(), description="Which pull requests get a preview.", examples=[{"drafts": True}]
    )
