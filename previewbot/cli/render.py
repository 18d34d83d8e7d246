"""``previewbot render``: what an environment of a blueprint would run, offline, the same every time, and no secret."""

# Heavy things are imported where they are needed, so that `--help` answers at once.
# ruff: noqa: PLC0415

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from previewbot.cli.console import Json, load, named, read_blueprint, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from previewbot.core.blueprint import Blueprint
    from previewbot.core.desire import Present
    from previewbot.core.imagined import Terms
    from previewbot.settings import Settings

INSTANCE = "previewbot"
HEAD = """\
# What `{environment}` would run on {runtime}. Placeholders: revisions, the key pr-1-1, the commit, `<built from …>`
# (the digest of an image), addresses that the cluster gives, and ••• (a secret).
"""


class Runtime(StrEnum):
    """The places that can be rendered."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"


def render(
    file: Annotated[Path, typer.Argument(help="The blueprint.")] = Path("previewbot.yaml"),
    *,
    environment: Annotated[str, typer.Option("--environment", "-e", help="As `preview` or `production`.")] = "preview",
    runtime: Annotated[Runtime | None, typer.Option("--runtime", help="By default the configuration's.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The operator's configuration: sizes, limits, domain.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what an environment would run: every override applied, nothing asked, nothing started, no secret read."""
    from previewbot.wire.blueprint import dump

    blueprint = read_blueprint("render FILE", file, as_json=as_json)
    named(blueprint, file, environment, "Name one of those.")
    settings = load(config) if config else None
    place = runtime or Runtime(settings.runtime if settings else Runtime.DOCKER)
    found = documents(blueprint, environment, place, settings)
    for remark in remarks(blueprint, environment, settings):
        typer.echo(remark, err=True)
    if as_json:
        say(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        head = HEAD.format(environment=environment, runtime=place)
        say(head + "".join(f"---\n{dump(each)}" for each in found).rstrip())


def documents(
    blueprint: Blueprint, environment: str, runtime: Runtime, settings: Settings | None = None
) -> list[dict[str, Any]]:
    """Describe everything that would be made, in the order in which it is."""
    from previewbot.core.imagined import imagine

    made = imagine(blueprint, environment, _terms(settings))
    instance = settings.instance_name if settings else INSTANCE
    match runtime:
        case Runtime.DOCKER:
            return _docker(made, instance, settings)
        case Runtime.KUBERNETES:
            return _kubernetes(made, instance, settings)


def remarks(blueprint: Blueprint, environment: str, settings: Settings | None) -> Sequence[str]:
    """Tell what is not shown as it would be."""
    from previewbot.core.blueprint import PREVIEW
    from previewbot.core.desire import unknown_sizes
    from previewbot.core.environments import apply

    own = apply(blueprint, environment)
    shelf = _terms(settings).shelf
    told = []
    sizes = ", ".join(f"`{each}`" for each in unknown_sizes(own, shelf.sizes))
    if sizes and settings:
        told.append(f"The configuration has no size {sizes}: previewbot would refuse this blueprint.")
    elif sizes:
        told.append(f"Sizes are the operator's: {sizes} is shown as the usual one; give --config to see it.")
    if environment != PREVIEW:
        told.append(f"previewbot runs previews alone for now: `{environment}` is shown as if it were one of them.")
    return told


def _terms(settings: Settings | None) -> Terms:
    from previewbot.core.imagined import Terms

    if settings is None:
        return Terms()
    from previewbot.app import policy_of

    policy = policy_of(settings)
    return Terms(policy.address, policy.shelf)


def _docker(made: Present, instance: str, settings: Settings | None) -> list[dict[str, Any]]:
    from previewbot.adapters.docker import Limits, Names, draw
    from previewbot.core.imagined import digests, sealed
    from previewbot.places.docker import limits_of

    names, limits = Names(instance), limits_of(settings) if settings else Limits()
    found: list[dict[str, Any]] = []
    for release in (*made.resources, made.release):
        drawn = draw(release, digests(made), sealed(release), names=names, limits=limits)
        found += [each for each in drawn if each not in found]  # resources share a network
    return found


def _kubernetes(made: Present, instance: str, settings: Settings | None) -> list[dict[str, Any]]:
    from dataclasses import replace

    from previewbot.adapters import kubernetes as k8s
    from previewbot.core.imagined import digests, sealed
    from previewbot.core.masking import MASK
    from previewbot.places.kubernetes import options_of

    options = options_of(settings) if settings else k8s.Options()
    place = k8s.place_of(made.release.key, k8s.Names(instance), options)
    if settings:
        pull = MASK if settings.registry.pull_secret_file else None
        certificate = k8s.Certificate(MASK, MASK) if settings.kubernetes.tls_certificate_file else None
        place = replace(place, handed=k8s.Handed(pull, certificate))
    found = k8s.draw_fence(place)
    for release in (*made.resources, made.release):
        found += k8s.draw(place, release, digests(made), sealed(release))
    return [*found, *k8s.draw_routes(place, made.release)]
