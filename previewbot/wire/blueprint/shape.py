"""The shape of ``previewbot.yaml``: every key, what it takes, and what it means. The JSON Schema is made from this."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=10)
_LONGEST_PATH = 500


def _no(problem: str, fix: str) -> PydanticCustomError:
    """What a check raises: ``problem`` follows the name of the key."""
    return PydanticCustomError("flaw", "{problem}", {"problem": problem, "fix": fix})


def _matches(pattern: str, problem: str, fix: str) -> Callable[[object], object]:
    """A check of texts; what is no text at all is left to the type."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: object) -> object:
        if isinstance(value, str) and not compiled.fullmatch(value):
            raise _no(problem, fix)
        return value

    return check


def _text(pattern: str, problem: str, fix: str) -> tuple[BeforeValidator, WithJsonSchema]:
    schema = WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})
    return BeforeValidator(_matches(pattern, problem, fix)), schema


def _inside(value: object) -> object:
    """A path below the root of the repository, normalised; the root itself is ``.``."""
    if not isinstance(value, str):
        return value
    if not value or not value.isprintable() or "\\" in value or len(value) > _LONGEST_PATH:
        raise _no("is not a path that a repository can have", "write folders with `/` between them, or `.`")
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if value.startswith("/") or ".." in parts or ".git" in parts:
        raise _no("leaves the repository", "write a path inside it, without `..` and without a `/` at the beginning")
    return "/".join(parts) or "."


def _file_inside(value: object) -> object:
    path = _inside(value)
    if path == "." or (isinstance(value, str) and value.endswith("/")):
        raise _no("is a folder, not a file", "write the path of a Dockerfile")
    return path


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError as error:
        said = str(error).lower()
        raise _no(f"cannot be split into words: {said}", "close the quotes, or write a list of words") from None
    if not words:
        raise _no("is empty", "write a command, or leave `command` out")
    return words


def _duration(value: object) -> object:
    found = re.fullmatch(r"([1-9][0-9]{0,3})(s|m)", value, re.ASCII) if isinstance(value, str) else None
    length = timedelta(seconds=int(found[1]) * (60 if found[2] == "m" else 1)) if found else timedelta(0)
    if not _SHORTEST <= length <= _LONGEST:
        raise _no("must be a length of time from 1s to 10m", "write it like `90s` or `2m`")
    return length


def _scalar(value: object) -> object:
    if not isinstance(value, str | bool | int | float):
        raise _no("must be a text, a number, true or false", "")
    return value


def _not_ours(name: object) -> object:
    if isinstance(name, str) and (name == "PREVIEWBOT" or name.startswith("PREVIEWBOT_")):
        raise _no("is set by previewbot itself", "choose a name that does not begin with `PREVIEWBOT_`")
    return name


def _short(name: str, shape: object) -> BeforeValidator:
    """Let a text stand for a mapping with that one key."""
    return BeforeValidator(
        lambda value: {name: value} if isinstance(value, str) else value, json_schema_input_type=str | shape
    )


# Of the grammar of image references (github.com/distribution/reference): [HOST[:PORT]/]PATH[:TAG][@DIGEST].
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = rf"(?=.{{1,400}}$)(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"

Inside = Annotated[str, BeforeValidator(_inside), Field(min_length=1)]
FileInside = Annotated[str, BeforeValidator(_file_inside), Field(min_length=1)]
Words = Annotated[
    list[str], BeforeValidator(_words, json_schema_input_type=str | list[str]), Field(min_length=1, max_length=200)
]
Duration = Annotated[
    timedelta, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3}[sm]$"})
]
Image = Annotated[str, *_text(_IMAGE, "is not the name of an image", "write it like `redis:7`")]
Stage = Annotated[str, *_text(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", "is not the name of a stage", "")]
HttpPath = Annotated[
    str, *_text(r"/[\x21-\x22\x24-\x7e]{0,500}", "is not an HTTP path", "begin it with `/`, as in `/health`")
]
Variable = Annotated[str, *_text(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "cannot be the name of a variable", "")]
OwnVariable = Annotated[Variable, BeforeValidator(_not_ours)]
Scalar = Annotated[
    str | bool | int | float, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
"""What a variable may be written as; it is passed on exactly as it was written."""
_NAMES = "begin with a letter, then use lower case letters, digits and hyphens, at most {} in all"
AppName = Annotated[
    str, *_text(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", "is not a name that a host can have", _NAMES.format(40))
]
ServiceName = Annotated[
    str, *_text(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?", "is not a name that a service can have", _NAMES.format(32))
]
Glob = Annotated[str, Field(min_length=1, max_length=200)]
Globs = Annotated[list[Glob], Field(max_length=50)]


class Shape(BaseModel):
    """A mapping of the file: no key beyond those named, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BuildShape(Shape):
    """How an image is made."""

    context: Inside = Field(".", description="The folder that the build may see.")
    dockerfile: FileInside = Field("Dockerfile", description="The Dockerfile, relative to the context.")
    target: Stage | None = Field(None, description="The stage to build; by default the last one.")
    args: dict[Variable, Scalar] = Field({}, max_length=100, description="Build arguments. Never secrets.")


class HealthShape(Shape):
    """When a service counts as healthy."""

    path: HttpPath | None = Field(None, description="An HTTP path that answers below 400; else an open TCP port.")
    timeout: Duration | None = Field(None, description="How long a start may take: 1s to 10m, 60s if absent.")


class ServiceShape(Shape):
    """One program of the app. Exactly one of `build` and `image` is needed."""

    build: Annotated[BuildShape, _short("context", BuildShape)] | None = Field(
        None, description="How its image is made; a text is the context alone."
    )
    image: Image | None = Field(None, description="An image that exists already.")
    command: Words | None = Field(None, description="What to run instead of the image's own command.")
    port: int | None = Field(None, ge=1, le=65535, description="The port that it listens on, also in its `PORT`.")
    public: bool | None = Field(
        None, description="Whether it has a URL. By default the service `web` has one, or the only one with a port."
    )
    health: Annotated[HealthShape, _short("path", HealthShape)] | None = Field(
        None, description="When it counts as healthy; a text is the path alone."
    )
    env: dict[OwnVariable, Scalar] = Field({}, max_length=200, description="Environment variables.")
    replicas: int = Field(1, ge=1, le=10, description="How many of it run.")


class PreviewsShape(Shape):
    """Which pull requests get a preview, where that differs from the operator's rules."""

    drafts: bool | None = Field(None, description="Whether drafts get one.")
    label: str | None = Field(None, max_length=50, description="The label that asks for one; empty for none.")
    label_required: bool | None = Field(None, description="Whether only pull requests with that label get one.")
    exclude_label: str | None = Field(None, max_length=50, description="The label that forbids one; empty for none.")
    branches: Globs | None = Field(None, description="Globs of base branches; empty for all.")
    paths: Globs | None = Field(None, description="Globs of changed files; empty for all.")


class BlueprintShape(Shape):
    """One app: what `previewbot.yaml` says."""

    version: Literal[1] = Field(description="The version of this format: 1.")
    app: AppName | None = Field(None, description="The app's name in URLs; by default the repository's.")
    services: dict[ServiceName, ServiceShape] = Field(min_length=1, max_length=20, description="What runs, by name.")
    previews: PreviewsShape = Field(PreviewsShape(), description="Which pull requests get a preview.")
