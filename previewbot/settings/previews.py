"""GitHub, previewbot itself, and which previews there are."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from previewbot.settings.values import Duration, Section, Size


class GitHubSettings(Section):
    """Who previewbot is at GitHub."""

    app_id: int = Field(gt=0, description="The number of the GitHub App.")
    private_key_file: Path = Field(description="The App's private key (PEM), readable by previewbot alone.")
    webhook_secret_files: list[Path] = Field(
        min_length=1, max_length=2, description="The webhook secret; two while it is being changed."
    )
    api_url: str = Field(
        "https://api.github.com", pattern=r"^https?://", description="https://HOST/api/v3 on Enterprise."
    )


class ServerSettings(Section):
    """Where previewbot itself listens, and how others reach it."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    public_url: str = Field("http://localhost:8000", pattern=r"^https?://", description="How people reach its pages.")
    pages_token_file: Path | None = Field(None, description="A token that opens the operator's pages from elsewhere.")


class StorageSettings(Section):
    """What previewbot keeps on disk."""

    folder: Path = Field(Path("state"), description="The database, the mirrors of repositories and the logs of builds.")
    database_url: str | None = Field(None, description="postgresql+psycopg://… instead of SQLite in the folder.")
    keep_images: Duration = Field(timedelta(days=3), description="How long an image is kept that nothing uses.")
    keep_history: Duration = Field(
        timedelta(days=30), description="How long environments that are gone are remembered."
    )


class PreviewSettings(Section):
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


class SizeSettings(Section):
    """What one container of a named size may use."""

    cpu: float = Field(gt=0, description="Cores.")
    memory: Size = Field(ge=16 * 1024**2, description="Such as 256MiB.")


class WorkerSettings(Section):
    """How the work is done."""

    at_once: int = Field(8, ge=1, le=256, description="Environments that are worked on at the same time.")
    sweep_every: Duration = Field(
        timedelta(minutes=3), description="How often previewbot looks for what no event told it."
    )


class LogSettings(Section):
    """What previewbot says of itself."""

    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is said.")
