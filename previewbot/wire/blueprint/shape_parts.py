"""The shape of what an app is made of: services, resources and hooks, and what each of their keys means."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from previewbot.core.blueprint import Concurrency
from previewbot.core.resources import KITS, UNVERSIONED
from previewbot.wire.blueprint.texts import (
    AConcurrency,
    AResourceType,
    AServiceKind,
    Chosen,
    Duration,
    FileInside,
    HookDuration,
    HttpPath,
    Image,
    Inside,
    MountPath,
    OwnVariable,
    ResourceName,
    RunDuration,
    Scalar,
    ServiceName,
    Stage,
    Timetable,
    Variable,
    Version,
    Words,
    Zone,
    short,
)


def _otherwise(default: object) -> dict[str, Any]:
    """The default of a key that is decided later than here."""
    return {"default": default}


class Shape(BaseModel):
    """A mapping of the file: no key beyond those named, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BuildShape(Shape):
    """How an image is made. A text is the context alone."""

    context: Inside = Field(".", description="The folder that the build may see.", examples=["web"])
    dockerfile: FileInside = Field(
        "Dockerfile", description="The Dockerfile, relative to the context.", examples=["docker/prod.Dockerfile"]
    )
    target: Stage | None = Field(None, description="The stage to build; by default the last one.", examples=["prod"])
    args: dict[Variable, Scalar] = Field(
        {},
        max_length=100,
        description="Build arguments. References may stand in them, but never to secrets or resources.",
        examples=[{"EDITION": "full"}],
    )
    secrets: list[OwnVariable] = Field(
        [],
        max_length=100,
        description="Secrets that a step may read by `RUN --mount=type=secret,id=NAME`; none gets into the image.",
        examples=[["NPM_TOKEN"]],
    )


class HealthShape(Shape):
    """When a service counts as healthy; without a path and a command, when its port is open. A text is the path."""

    path: HttpPath | None = Field(None, description="An HTTP path that answers below 400.", examples=["/healthz"])
    command: Words | None = Field(
        None, description="A command in its container that exits with 0, instead of a path.", examples=[["./alive"]]
    )
    timeout: Duration | None = Field(
        None, description="How long a start may take: 1s to 10m.", examples=["2m"], json_schema_extra=_otherwise("60s")
    )


class ServiceShape(Shape):
    """One program of the app. Exactly one of `build` and `image` is needed."""

    kind: AServiceKind | None = Field(
        None,
        description="What it is: `web` listens on a port, `worker` runs on and on, `cron` runs by a timetable, `job` "
        "runs when it is asked to. By default `web` where there is a port, else `worker`.",
        examples=["cron"],
    )
    build: Annotated[BuildShape, short("context", BuildShape)] | None = Field(
        None, description="How its image is made; a text is the context alone.", examples=["web"]
    )
    image: Image | None = Field(None, description="An image that exists already.", examples=["nginx:1.27"])
    command: Words | None = Field(
        None,
        description="What to run instead of the image's own command. References may stand in it.",
        examples=[["./serve", "--verbose"]],
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="The port that it listens on, also in its `PORT`.", examples=[8080]
    )
    public: bool | None = Field(
        None,
        description="Whether it has a URL. By default the service `web` has one, or the only one with a port.",
        examples=[True],
    )
    health: Annotated[HealthShape, short("path", HealthShape)] | None = Field(
        None, description="When it counts as healthy; a text is the path alone.", examples=["/healthz"]
    )
    size: Chosen | None = Field(
        None,
        description="One of the operator's sizes, of CPU and memory; by default what the operator lets every container "
        "use.",
        examples=["small"],
    )
    replicas: int = Field(1, ge=1, le=10, description="How many of it run; only `web` and `worker`.", examples=[2])
    depends_on: list[ServiceName] = Field(
        [],
        max_length=20,
        description="Services that must be healthy before this one is started. Resources always are.",
        examples=[["api"]],
    )
    env: dict[OwnVariable, Scalar] = Field(
        {},
        max_length=200,
        description="Environment variables. References may stand in them.",
        examples=[{"DATABASE_URL": "${resources.db.url}"}],
    )
    secrets: list[OwnVariable] = Field(
        [],
        max_length=100,
        description="Secrets that it gets as variables of the same names. One that its `env` names by reference needs "
        "no entry.",
        examples=[["STRIPE_KEY"]],
    )
    volumes: dict[ResourceName, MountPath] = Field(
        {},
        max_length=20,
        description="Resources of the type `volume`, and the absolute path where each is mounted.",
        examples=[{"uploads": "/var/uploads"}],
    )
    schedule: Timetable | None = Field(
        None,
        description="When it runs: minute, hour, day of the month, month, day of the week. `cron` needs it.",
        examples=["0 3 * * *"],
    )
    timezone: Zone = Field(
        "UTC", description="The time zone of its timetable; only `cron`.", examples=["Europe/Berlin"]
    )
    concurrency: AConcurrency = Field(
        Concurrency.FORBID,
        description="What happens when its time comes and the last run still goes on: `forbid` leaves the new one out, "
        "`replace` ends the old one, `allow` lets both run; only `cron`.",
        examples=["replace"],
    )
    history: int = Field(3, ge=1, le=50, description="How many runs that are over are kept; only `cron`.", examples=[5])
    timeout: RunDuration | None = Field(
        None,
        description="How long one run may take, 1s to 720m: then it is ended and has failed; only `cron` and `job`.",
        examples=["90m"],
        json_schema_extra=_otherwise("60m"),
    )


class HookShape(Shape):
    """A command that runs once, to its end, in the image and with the environment of one service."""

    service: ServiceName = Field(description="The service whose image and environment it has.", examples=["api"])
    command: Words = Field(description="What to run. References may stand in it.", examples=[["./migrate"]])
    timeout: HookDuration | None = Field(
        None, description="How long it may take: 1s to 60m.", examples=["5m"], json_schema_extra=_otherwise("10m")
    )


class HooksShape(Shape):
    """What runs at the turns of an environment's life."""

    release: HookShape | None = Field(
        None,
        description="Before a new release takes over, once for each; where it fails, the old one keeps serving.",
        examples=[{"service": "api", "command": ["./migrate"]}],
    )
    destroy: HookShape | None = Field(
        None,
        description="Before the environment is deleted; it never stops the deletion, and where it fails, the last "
        "comment says so.",
        examples=[{"service": "api", "command": ["./goodbye"]}],
    )


def _versions() -> str:
    """The versions that resources have which ask for none."""
    return ", ".join(f"{each} {KITS[each].version}" for each in KITS if each not in UNVERSIONED)


class ResourceShape(Shape):
    """Something that an environment has for itself. A text is the type alone."""

    type: AResourceType = Field(
        description="`postgres`, `mysql`, `redis`, `rabbitmq`, `storage` (files, as in S3), `queue` (messages, as in "
        "SQS) or `volume` (a folder that services mount).",
        examples=["postgres"],
    )
    version: Version | None = Field(
        None,
        description=f"Its version, as in the image's tag; by default {_versions()}. Not for storage, queue and volume.",
        examples=["16"],
    )
    size: Chosen | None = Field(
        None,
        description="One of the operator's sizes, of CPU and memory; by default what the operator lets every container "
        "use. Not for volume.",
        examples=["small"],
    )
    backups: Chosen | None = Field(
        None, description="One of the operator's backup policies; previews have none.", examples=["daily"]
    )
    seed: HookShape | None = Field(
        None,
        description="Runs once in its life, after the first release hook that succeeded.",
        examples=[{"service": "api", "command": ["./seed"]}],
    )
