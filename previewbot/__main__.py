"""The command line. Human by default, ``--json`` for machines; errors go to standard error and end with code 1 or 2.

Heavy things are imported inside the commands, and after the configuration was read, so that ``--help``, ``validate``
and a fault in the configuration answer at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from previewbot.cli.console import CONFIG, Config, Json, fail, guard, iso, load, named, read_blueprint, say
from previewbot.cli.init import init
from previewbot.cli.lean import without_finery
from previewbot.cli.render import render
from previewbot.cli.secrets import cli as secrets_cli

if TYPE_CHECKING:
    from previewbot.settings import Settings

cli = typer.Typer(
    help="A running copy of your app for every pull request.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
cli.add_typer(secrets_cli, name="secrets")
cli.command()(init)
cli.command()(render)


def main() -> None:
    """Run the command line."""
    cli()


@cli.command()
def serve(config: Config = CONFIG) -> None:
    """Run previewbot: webhook door, worker, front door control and pages in one process."""
    with without_finery():
        settings = load(config)
        from previewbot import app, telemetry
    from previewbot.core.errors import Refused, Transient
    from previewbot.settings import Faulty

    telemetry.configure(format=settings.log.format, level=settings.log.level)
    try:
        app.run(app.serve(settings))
    except (Refused, Transient, Faulty) as error:
        fail("previewbot cannot start.", str(error), f"Run `previewbot doctor --config {config}` to see all of it.")
    except OSError as error:
        address = f"{settings.server.host}:{settings.server.port}"
        fail(f"previewbot cannot listen on {address}.", str(error), "Change server.port, or end what listens there.")


@cli.command()
def doctor(config: Config = CONFIG, as_json: Json = False) -> None:
    """Check everything that previewbot needs, and say what to do about each failure."""
    settings = load(config)
    from previewbot.cli.doctor import examine

    findings = asyncio.run(examine(settings))
    problems = sum(not finding.ok for finding in findings)
    if as_json:
        say(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            say(f"{finding.name:<17} {'ok' if finding.ok else 'FAIL':<5} {finding.detail}")
            if not finding.ok:
                say(f"{'':<23} → {finding.fix}")
        code = "" if not problems else " Exit code 1."
        say(f"{problems or 'No'} problem{'' if problems == 1 else 's'}.{code}")
    raise typer.Exit(1 if problems else 0)


@cli.command()
def validate(
    file: Annotated[Path, typer.Argument(help="The blueprint to check.")] = Path("previewbot.yaml"),
    as_json: Json = False,
) -> None:
    """Check a blueprint: print every flaw with its place and fix, or the blueprint with all its defaults."""
    from previewbot.wire import blueprint as wire

    found = read_blueprint("validate FILE", file, as_json=as_json)
    say(json.dumps(dataclasses.asdict(found), default=str, indent=2) if as_json else wire.render(found).rstrip())


@cli.command()
def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="One environment, as `preview`.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another, as `production`.")],
    file: Annotated[Path, typer.Argument(help="The blueprint.")] = Path("previewbot.yaml"),
    as_json: Json = False,
) -> None:
    """Show how two environments of a blueprint differ: in declared parameters, and in nothing else."""
    from previewbot.core.parity import differences
    from previewbot.wire.blueprint import compared

    blueprint = read_blueprint("diff A B FILE", file, as_json=as_json)
    one, other = (named(blueprint, file, each, "Name two of those.") for each in (left, right))
    found = differences(blueprint, one, other)
    if as_json:
        say(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
    for line in () if as_json else compared(found, left, right):
        say(line)


@cli.command("list")
def list_environments(
    config: Config = CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are gone.")] = False,
    as_json: Json = False,
) -> None:
    """Show every environment with its state, commit, URL, age and reason."""
    settings = load(config)
    from previewbot.web.pages import Row, row

    async def read(settings: Settings) -> list[Row]:
        from previewbot.adapters.local import SystemClock
        from previewbot.adapters.store import open_store

        async with open_store(settings.database_url, exclusive=False) as store:
            return [row(each, SystemClock().now()) for each in await store.records()]

    rows = [each for each in guard(read, settings) if everything or each.state != "gone"]
    if as_json:
        say(json.dumps([dataclasses.asdict(each) for each in rows], default=iso, indent=2))
        return
    if not rows:
        say("No environments. Open a pull request in a repository where the App is installed.")
        return
    table = [("PULL REQUEST", "STATE", "COMMIT", "AGE", "URL", "WHY")]
    table += [
        (f"{each.repository}#{each.number}", each.state, (each.commit or "-")[:7], each.age or "-", each.url or "-",
         each.why)
        for each in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        say("  ".join((*cells, line[5])).rstrip())


@cli.command()
def run(
    environment: Annotated[str, typer.Argument(metavar="PULL", help="The pull request, as acme/shop#42.")],
    service: Annotated[str, typer.Argument(help="A job of its blueprint, or a cron service to run now.")],
    config: Config = CONFIG,
) -> None:
    """Run a job of an environment now, show what it says, and end as it ends."""
    settings = load(config)
    from previewbot.cli.run import run_job
    from previewbot.core.errors import Refused, Transient
    from previewbot.core.model import InstanceState
    from previewbot.settings import Faulty

    try:
        ended = asyncio.run(run_job(settings, environment, service))
    except (Refused, Transient, Faulty) as error:
        known = "`previewbot list` shows the environments, `previewbot doctor` what is wrong."
        fail(f"{service} was not run.", str(error), known)
    for line in ended.lines:
        say(line)
    went = "is done" if ended.run.state is InstanceState.DONE else ended.run.detail or "failed"
    typer.echo(f"{service} {went} after {ended.took.total_seconds():.1f} s.", err=True)
    raise typer.Exit(0 if ended.run.state is InstanceState.DONE else 1)


@cli.command()
def migrate(config: Config = CONFIG) -> None:
    """Bring the database up to date; `serve` does the same when it starts."""
    settings = load(config)
    from previewbot.adapters.store import describe, migrate

    async def run(settings: Settings) -> str:
        settings.storage.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await migrate(settings.database_url)
        return await describe(settings.database_url)

    say(guard(run, settings))


@cli.command()
def setup(
    url: Annotated[
        str, typer.Option("--url", help="Where GitHub will reach previewbot: https://previewbot.example.com")
    ],
    folder: Annotated[Path, typer.Option("--folder", help="Where the App's key and secret are kept.")] = Path(
        "secrets"
    ),
    name: Annotated[str, typer.Option("--name", help="The App's name, unique on that GitHub.")] = "previewbot",
    organization: Annotated[str | None, typer.Option("--org", help="The organisation that will own the App.")] = None,
    github: Annotated[str, typer.Option("--github", help="The GitHub to use.")] = "https://github.com",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an earlier setup.")] = False,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            show_default="any free one",
            help="The page's port on this machine. For a browser elsewhere: `ssh -L PORT:127.0.0.1:PORT MACHINE`.",
        ),
    ] = 0,
) -> None:
    """Register previewbot as a GitHub App: one page, one click, three private files."""
    from previewbot.cli.manifest import SetupFailed, read_manifest
    from previewbot.cli.setup import Registration, register

    wanted = Registration(
        hook_url=f"{url.rstrip('/')}/webhook", folder=folder, name=name, organization=organization, web_url=github,
        force=force, port=port,
    )  # fmt: skip

    def announce(page: str) -> None:
        typer.echo(f"Open {page} in your browser and press the button. Waiting for GitHub…", err=True)

    try:
        made = asyncio.run(register(wanted, read_manifest(), announce=announce))
    except SetupFailed as failed:
        fail("The App was not registered.", str(failed), "Mend that, then begin again with the same command.")
    except KeyboardInterrupt:
        fail("The App was not registered.", "Stopped before GitHub answered.", "Run the setup again.")
    say(f"Registered {made.slug} (id {made.app_id}).")
    for file in made.files:
        say(f"  wrote {file}")
    say(f"Next:\n  1. Set github.app_id: {made.app_id} and the two files in config/previewbot.yaml.")
    say(f"  2. Install the App on your repositories: {made.install_url}")
    say("  3. previewbot doctor, then previewbot serve.")


@cli.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Run the whole story without a person, and end.")] = False,
    cluster: Annotated[
        Path | None, typer.Option(help="Run it in the cluster of this state.json or kubeconfig; see CONTRIBUTING.")
    ] = None,
) -> None:
    """Run the main job on this machine, with a simulated GitHub to look at."""
    from previewbot.demo.story import run

    raise typer.Exit(run(once=once, cluster=cluster))


if __name__ == "__main__":
    main()
