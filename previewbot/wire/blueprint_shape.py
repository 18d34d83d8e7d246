"""The shape of ``previewbot.yaml``: every key, what it takes, and what it means. The JSON Schema is made from this."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII)
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=10)


def _inside(value: object) -> object:
    """A path below the root of the repository, normalised; the root itself is ``.``."""
    if not isinstance(value, str) or not value or re.search(r"[\x00-\x1f\\]", value):
        raise ValueError("a path with forward slashes is needed")
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if value.startswith("/") or ".." in parts or ".git" in parts:
        raise ValueError("the path must stay inside the repository")
    return "/".join(parts) or "."


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"the command cannot be split into words: {error}") from None


def _duration(value: object) -> object:
    found = re.fullmatch(r"([1-9][0-9]{0,3})(s|m)", value) if isinstance(value, str) else None
    length = timedelta(seconds=int(found[1]) * (60 if found[2] == "m" else 1)) if found else timedelta(0)
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError("a length of time from 1s to 10m is needed")
    return length


def _reference(value: object) -> object:
    if not isinstance(value, str) or len(value) > 512 or not _IMAGE.fullmatch(value):  # noqa: PLR2004
        raise ValueError("the name of an image is needed, such as redis:7")
    return value


def _scalar(value: object) -> object:
    if not isinstance(value, str | bool | int | float) or "\x00" in str(value):
        raise ValueError("a text, a number or true or false is needed")
    return value


def _short(name: str) -> BeforeValidator:
    """Let a text stand for a mapping with that one key."""
    return BeforeValidator(lambda value: {name: value} if isinstance(value, str) else value)


def _environment(value: object) -> object:
    if isinstance(value, dict):
        for name in value:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
                raise ValueError(f"`{name}` cannot be the name of a variable")
            if name.startswith("PREVIEWBOT"):
                raise ValueError(f"`{name}` is set by previewbot itself")
    return value


Inside = Annotated[str, BeforeValidator(_inside)]
Words = Annotated[list[str], BeforeValidator(_words), Field(min_length=1)]
Duration = Annotated[
    timedelta, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[0-9]+[sm]$"})
]
Reference = Annotated[str, BeforeValidator(_reference)]
Scalar = Annotated[
    str | bool | int | float, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
"""What an environment variable may be written as; it is passed on exactly as it was written."""
Slug = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$")]
Globs = list[Annotated[str, Field(min_length=1, max_length=200)]]


class Shape(BaseModel):
    """A mapping of the file: no key beyond those named, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BuildShape(Shape):
    """How an image is made."""

    context: Inside = Field(".", description="The folder that the build may see.")
    dockerfile: Inside = Field("Dockerfile", description="The Dockerfile, relative to the context.")
    target: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,128}$", description="The stage to build.")
    args: dict[str, Scalar] = Field({}, description="Build arguments. Never secrets.")


class HealthShape(Shape):
    """When a service counts as healthy."""

    path: str | None = Field(None, pattern=r"^/[\x21-\x7e]{0,500}$", description="An HTTP path that answers below 400.")
    timeout: Duration = Field(timedelta(seconds=60), description="How long the first start may take.")


class ServiceShape(Shape):
    """One program of the app. Exactly one of `build` and `image` is needed."""

    build: Annotated[BuildShape, _short("context")] | None = Field(None, description="How its image is made.")
    image: Reference | None = Field(None, description="An image that exists already.")
    command: Words | None = Field(None, description="What to run instead of the image's own command.")
    port: int | None = Field(None, ge=1, le=65535, description="The port that it listens on.")
    public: bool | None = Field(
        None, description="Whether it has a URL. By default the service `web` has one, or the only one with a port."
    )
    health: Annotated[HealthShape, _short("path")] = Field(HealthShape(), description="When it counts as healthy.")
    env: Annotated[dict[str, Scalar], BeforeValidator(_environment)] = Field({}, description="Environment variables.")
    replicas: int = Field(1, ge=1, le=10, description="How many of it run.")


class PreviewsShape(Shape):
    """Which pull requests get a preview, where that differs from the operator's rules."""

    drafts: bool | None = Field(None, description="Whether drafts get one.")
    label: str | None = Field(None, max_length=50, description="The label that asks for one.")
    label_required: bool | None = Field(None, description="Whether only pull requests with that label get one.")
    exclude_label: str | None = Field(None, max_length=50, description="The label that forbids one.")
    branches: Globs | None = Field(None, description="Globs of base branches.")
    paths: Globs | None = Field(None, description="Globs of changed files.")


class BlueprintShape(Shape):
    """One app."""

    version: Literal[1] = Field(description="The version of this format: 1.")
    app: Slug | None = Field(None, description="The app's name in URLs; by default the repository's.")
    services: dict[ServiceName, ServiceShape] = Field(min_length=1, max_length=20, description="What runs, by name.")
    previews: PreviewsShape = Field(PreviewsShape(), description="Which pull requests get a preview.")
