"""``previewbot secrets``: what an operator does with the secrets of the apps. Values come in, and never out again."""

# Heavy things are imported where they are needed, so that `--help` answers at once.
# ruff: noqa: PLC0415

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from previewbot.cli import generated
from previewbot.cli.console import CONFIG, SECRETS, Config, Json, fail, guard, load, read_blueprint, say
from previewbot.core.blueprint import PREVIEW

if TYPE_CHECKING:
    from previewbot.core.blueprint import Blueprint
    from previewbot.core.secrets import SecretName
    from previewbot.ports import Secrets, Value
    from previewbot.settings import Settings

cli = typer.Typer(help="Set, list, rotate, remove and check the secrets of the apps.", no_args_is_help=True)

App = Annotated[str, typer.Argument(help="The app, as its blueprint names it.")]
Name = Annotated[str, typer.Argument(help="The secret, as the blueprint names it.")]
Kind = Annotated[str, typer.Option(help="For which environments: preview, staging, production, ….")]
Service = Annotated[str | None, typer.Option(help="For this service alone; else for every one that declares it.")]
Extra = Annotated[list[str] | None, typer.Argument(hidden=True)]
File = Annotated[
    Path, typer.Option("--blueprint", help="The app's blueprint, if it is here: what it generates is not set.")
]
FILE = Path("previewbot.yaml")
_ARRIVES = "Running previews get it with their next push or `/redeploy`, if not before."


@cli.command("set")
def put(  # noqa: PLR0917 - the signature is the command line's
    app: App, name: Name, extra: Extra = None, kind: Kind = PREVIEW, service: Service = None, config: Config = CONFIG,
    file: File = FILE,
) -> None:  # fmt: skip
    """Set a secret to what is on standard input, or typed where that is a terminal."""
    _no_value(extra)
    settings, wanted = load(config), _name(service, name)
    _not_made(generated.in_blueprint(file, app, name), app, name)
    _write(settings, app, kind, wanted, _given())
    made = generated.in_previews(settings, app, name) if kind == PREVIEW else None
    if made:
        # Its blueprint may be about to change, so this is no reason to refuse.
        typer.echo(f"Note: {made} While its blueprint has `generate`, what you set is not asked for.", err=True)
    say(f"{name} of {app} is set for {kind}. {_ARRIVES}")


@cli.command()
def rotate(  # noqa: PLR0917 - the signature is the command line's
    app: App,
    name: Name,
    extra: Extra = None,
    generate: Annotated[int | None, typer.Option(min=8, max=4096, help="Make one of so many characters.")] = None,
    environment: Annotated[
        str | None, typer.Option(help="Make another one for this pull request alone: OWNER/REPO#NUMBER.")
    ] = None,
    kind: Kind = PREVIEW,
    service: Service = None,
    config: Config = CONFIG,
    file: File = FILE,
) -> None:
    """Replace a secret that is set already, by what is on standard input or by one that is made.

    With `--environment`, replace one that previewbot made for a pull request (`generate` in its blueprint).
    """
    from previewbot.core.secrets import Scope
    from previewbot.engine import vault

    _no_value(extra)
    wanted, settings = _name(service, name), load(config)
    if environment is not None:
        if generate or service or kind != PREVIEW:
            fail(
                "What is made for one pull request is as long as the last, and for all of its services.",
                "--environment goes with neither --generate, --service nor another --kind.",
                f"previewbot secrets rotate {app} {name} --environment {environment}",
                code=2,
            )
        _renew(settings, app, wanted, environment)
        return
    _not_made(generated.in_blueprint(file, app, name), app, name)

    async def is_set(settings: Settings) -> bool:
        return wanted in await _store(settings).versions(Scope(_checked(app), _checked(kind)))

    if not guard(is_set, settings, of=SECRETS):
        _not_made(generated.in_previews(settings, app, name), app, name)
        fail(f"{name} of {app} is not set for {kind}.", "Only what is set can be rotated.", "previewbot secrets set …")
    value = vault.generate(generate) if generate else _given()
    _write(settings, app, kind, wanted, value)
    say(f"{name} of {app} is rotated for {kind}. {_ARRIVES}")


@cli.command()
def remove(  # noqa: PLR0917 - the signature is the command line's
    app: App, name: Name, kind: Kind = PREVIEW, service: Service = None, config: Config = CONFIG, file: File = FILE
) -> None:
    """Remove a secret. What runs keeps it until its next release, which then waits for it to be set."""
    from previewbot.core.secrets import Scope

    wanted, settings = _name(service, name), load(config)

    async def run(settings: Settings) -> bool:
        return await _store(settings).remove(Scope(_checked(app), _checked(kind)), wanted)

    if not guard(run, settings, of=SECRETS):
        _not_made(generated.in_blueprint(file, app, name) or generated.in_previews(settings, app, name), app, name)
        fail(f"{name} of {app} was not set for {kind}.", "Nothing was removed.", f"previewbot secrets list {app}")
    say(f"{name} of {app} is removed for {kind}.")


@cli.command("list")
def list_secrets(app: App, kind: Kind = PREVIEW, config: Config = CONFIG, as_json: Json = False) -> None:
    """Show which secrets of an app are set: for whom, and in which version. Never a value."""
    from previewbot.core.secrets import Scope

    async def run(settings: Settings) -> list[dict[str, str]]:
        found = await _store(settings).versions(Scope(_checked(app), _checked(kind)))
        return [{"name": each.name, "owner": each.owner, "version": found[each]} for each in sorted(found)]

    rows = guard(run, load(config), of=SECRETS)
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    if not rows:
        say(f"{app} has no secrets for {kind}. Set one with `previewbot secrets set {app} NAME`.")
    for row in rows:
        say(f"{row['name']:<32} {row['owner']:<16} {row['version']}")


@cli.command()
def check(
    file: Annotated[Path, typer.Argument(help="The blueprint.")] = Path("previewbot.yaml"),
    kind: Annotated[str | None, typer.Option(help="Only for these environments.")] = None,
    config: Config = CONFIG,
    as_json: Json = False,
) -> None:
    """Show which secret of a blueprint is set where, for which service, and what is missing; code 1 if any is.

    What is set and never asked for, such as a name with a typing error, is shown as well.
    """
    blueprint = read_blueprint("secrets check FILE", file, as_json=as_json)
    kinds = [kind] if kind else list(dict.fromkeys((PREVIEW, *blueprint.environments)))

    async def run(settings: Settings) -> list[dict[str, str]]:
        return [row for each in kinds for row in await _look(_store(settings), blueprint, _checked(each))]

    rows = guard(run, load(config), of=SECRETS)
    if as_json:
        say(json.dumps(rows, indent=2))
    elif not rows:
        say(f"{blueprint.app} declares no secrets.")
    for row in () if as_json else rows:
        say(f"{row['environment']:<12} {row['service']:<16} {row['name']:<32} {row['state']}")
    lacking = sum(row["state"] == "missing" for row in rows)
    if lacking:
        typer.echo(
            f"{lacking} missing. Set one with `previewbot secrets set {blueprint.app} NAME --kind KIND`.", err=True
        )
    raise typer.Exit(1 if lacking else 0)


async def _look(store: Secrets, blueprint: Blueprint, kind: str) -> list[dict[str, str]]:
    from previewbot.core.references import secrets_needed
    from previewbot.core.secrets import Scope, Versions, asked
    from previewbot.core.secrets import generated as made_of

    versions = Versions(await store.versions(Scope(blueprint.app, kind)))
    made = {each.name for each in made_of(blueprint)}
    rows = []
    for service, names in secrets_needed(blueprint).items():
        for name in names:
            seal = versions.seal(blueprint, service, name)
            state = "made by previewbot" if name in made else f"set ({seal.name.owner})" if seal else "missing"
            rows.append({"environment": kind, "service": service, "name": name, "state": state})
    for stray in sorted(versions.shared.keys() - asked(blueprint)):
        why = "made by previewbot" if stray.name in made else "no service here asks for it"
        rows.append({"environment": kind, "service": stray.owner, "name": stray.name, "state": f"set in vain: {why}"})
    return rows


def _renew(settings: Settings, app: str, name: SecretName, environment: str) -> None:
    from previewbot.core.errors import Refused

    async def run(opened: Settings) -> str | None:
        try:
            await generated.renew(opened, _store(opened), app, name, environment=environment)
        except Refused as refused:
            return refused.message
        return None

    if why := guard(run, settings, of=SECRETS):
        fail(f"{name.name} of {environment} is as it was.", why, "previewbot list")
    say(f"{name.name} of {environment} is rotated. It arrives with the next push or `/redeploy`, if not before.")


def _write(settings: Settings, app: str, kind: str, name: SecretName, value: Value) -> None:  # noqa: PLR0917 - one call
    from previewbot.core.secrets import Scope

    async def run(opened: Settings) -> None:
        await _store(opened).put(Scope(_checked(app), _checked(kind)), name, value)

    guard(run, settings, of=SECRETS)


def _store(settings: Settings) -> Secrets:
    from previewbot.app import open_secrets
    from previewbot.settings import Faulty

    folder = settings.storage.folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return open_secrets(settings)
    except Faulty as faulty:
        fail("The secrets cannot be opened.", str(faulty), "Mend secrets.key_file, or the file that it names.", code=2)


def _given() -> Value:
    """Read a value: typed where somebody is there to type, else the whole of standard input but its last line break."""
    from previewbot.ports import Value

    if sys.stdin.isatty():
        text = getpass.getpass("Value (it is not shown): ")
    else:
        text = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not text:
        fail(
            "No value was given.",
            "Standard input was empty.",
            "printf %s VALUE | previewbot secrets set APP NAME",
            code=2,
        )
    return Value(text)


def _not_made(why: str | None, app: str, name: str) -> None:
    """End where somebody says that a secret is made."""
    if why:
        fail(f"{name} of {app} is made by previewbot, and nobody sets it.", why, generated.ANOTHER, code=2)


def _no_value(extra: list[str] | None) -> None:
    if extra:
        fail(
            "A value is never an argument.",
            "Arguments stand in the shell's history and in every list of processes.",
            "Give it on standard input: previewbot secrets set APP NAME < FILE",
            code=2,
        )


def _name(service: str | None, name: str) -> SecretName:
    from previewbot.core.secrets import SHARED, SecretName

    return SecretName(_checked(service) if service else SHARED, _checked(name))


def _checked(part: str) -> str:
    """A part of a path in the store: it must not lead elsewhere."""
    if not part or not all(each.isascii() and (each.isalnum() or each in "_-") for each in part):
        fail(
            f"`{part}` is not a valid name.",
            "It has letters, digits, `_` and `-`.",
            "Write it as the blueprint does.",
            code=2,
        )
    return part
