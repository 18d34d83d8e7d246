"""What all commands share: how they read their input, and how they say what is wrong."""

# Heavy things are imported where they are needed, so that `--help` answers at once.
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from previewbot.core.blueprint import Blueprint, Environment, Flaw
    from previewbot.settings import Settings

T = TypeVar("T")

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
CONFIG = Path("config/previewbot.yaml")


class Part(NamedTuple):
    """What a command works with, as people call it, and the setting that is about it."""

    name: str
    setting: str


DATABASE = Part("database", "storage.database_url")
SECRETS = Part("secrets", "secrets.key_file")


def read_blueprint(usage: str, file: Path, *, as_json: bool) -> Blueprint:
    """Read a blueprint; where that fails, say why, and end."""
    from previewbot.core.blueprint import Blueprint

    try:
        found = parse_file(file)
    except OSError as error:
        first = "Write a first one by `previewbot init`, or name" if isinstance(error, FileNotFoundError) else "Name"
        fail(f"{file} cannot be read.", str(error.strerror), f"{first} the file: previewbot {usage}", code=2)
    if isinstance(found, Blueprint):
        return found
    if as_json:
        say(json.dumps([dataclasses.asdict(flaw) for flaw in found], indent=2))
    for flaw in () if as_json else found:
        typer.echo(str(flaw), err=True)
    raise typer.Exit(1)


def parse_file(file: Path) -> Blueprint | tuple[Flaw, ...]:
    """Parse a blueprint, whose app is its folder's where it names none; raises ``OSError``."""
    from previewbot.core.ids import slug
    from previewbot.wire.blueprint import parse

    return parse(file.read_bytes(), file=str(file), fallback_app=slug(file.absolute().parent.name))


def named(blueprint: Blueprint, file: Path, name: str, fix: str) -> Environment:
    """Find an environment of a blueprint; where there is none of that name, say which there are, and end."""
    from previewbot.core.blueprint import PREVIEW
    from previewbot.core.parity import environment_of

    found = environment_of(blueprint, name)
    if not found:
        known = ", ".join(dict.fromkeys((PREVIEW, *blueprint.environments)))
        fail(f"{file} has no environment `{name}`.", f"It has {known}.", fix, code=2)
    return found


def load(config: Path) -> Settings:
    """Read the configuration; where that fails, say every fault, and end."""
    from previewbot import settings as configuration
    from previewbot import telemetry
    from previewbot.settings import Faulty

    try:
        settings = configuration.load(config)
    except Faulty as faulty:
        for fault in faulty.faults:
            typer.echo(fault, err=True)
        typer.echo(f"Mend {config}; config/previewbot.yaml in the sources shows every setting.", err=True)
        raise typer.Exit(2) from None
    # What a command answers is on standard output; whatever is logged meanwhile must not be.
    telemetry.configure(format=settings.log.format, level="warning")
    return settings


def guard(run: Callable[[Settings], Coroutine[Any, Any, T]], settings: Settings, *, of: Part = DATABASE) -> T:
    """Run what needs a part of previewbot; where that fails, say why, and end."""
    from previewbot.core.errors import Refused, Transient

    try:
        return asyncio.run(run(settings))
    except (Refused, Transient) as error:
        fail(f"The {of.name} cannot be used.", str(error), f"Check storage.folder and {of.setting}.")


def iso(value: object) -> str:
    """Write what JSON has no form for."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def fail(what: str, why: str, fix: str, *, code: int = 1) -> NoReturn:
    """Say what failed, the likely cause, and what mends it; three lines, on standard error."""
    for line in (what, f"  {why}", f"  → {fix}"):
        typer.echo(line, err=True)
    raise typer.Exit(code)


def say(text: str) -> None:
    """Print an answer; whoever reads it may have gone."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        sys.exit(0)
