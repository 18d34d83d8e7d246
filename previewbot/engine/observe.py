"""What should run, found out from GitHub and the source: trust first, and only then the code."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from previewbot.core import environments
from previewbot.core.blueprint import PREVIEW, Blueprint, Flaw
from previewbot.core.desire import (
    FALLBACK_FILTERS,
    Absent,
    Basis,
    Desired,
    Unchanged,
    closed,
    filtered,
    host_names,
    overlay,
    present,
    unknown_sizes,
)
from previewbot.core.errors import Refused
from previewbot.core.ids import Key, slug
from previewbot.core.model import Permission, PullRequest, Reason, Record
from previewbot.core.secrets import asked, may_ask, missing
from previewbot.core.trust import judge
from previewbot.engine import vault
from previewbot.engine.world import Policy, World
from previewbot.wire import blueprint as wire

BLUEPRINT_FILE = "previewbot.yaml"
_FILE_LIMIT = 256 * 1024

_parsed = lru_cache(maxsize=32)(wire.parse)
"""Most commits leave the file alone, and reading it takes as long as all of the rest."""


async def read_pull(world: World, key: Key) -> PullRequest | None:
    """Read the pull request of an environment; ``None`` where it cannot be seen any more."""
    repository = await world.hub.repository(key.repository)
    return await world.hub.pull(repository, key.number) if repository else None


async def forbid(world: World, policy: Policy, pull: PullRequest | None) -> Absent | None:
    """Say why nothing may run for a pull request, without looking at its code."""
    over = closed(pull)
    if over or pull is None:
        return over
    permission = Permission.NONE
    if not pull.is_fork and not pull.author.is_app:
        permission = await world.hub.permission(pull.repository, pull.author.login)
    distrust = judge(pull, permission, policy.apps)
    return Absent(distrust.reason, distrust.detail) if distrust else None


@dataclass(frozen=True, slots=True)
class Definition:
    """The app as one commit defines it, and the tree of each context that it builds."""

    blueprint: Blueprint
    trees: Mapping[str, str]


async def define(world: World, pull: PullRequest) -> Definition | Unchanged | Absent:
    """Read the app's definition from the head commit; whatever is wrong with it is the answer, never an error."""
    try:
        await world.source.fetch(pull.repository, pull.head_commit)
        found = await _read(world, pull)
        if not isinstance(found, Blueprint):
            return found
        contexts = sorted({service.build.context for service in found.services if service.build})
        trees = await asyncio.gather(*(_tree(world, pull, context) for context in contexts))
    except Refused as refused:
        return Unchanged(_source_reason(refused), pull.head_commit, refused.message)
    missing = [context for context, tree in zip(contexts, trees, strict=True) if tree is None]
    if missing:
        return Unchanged(Reason.BLUEPRINT_FLAWED, pull.head_commit, flaws=tuple(map(_missing, missing)))
    return Definition(found, {context: tree for context, tree in zip(contexts, trees, strict=True) if tree})


def _source_reason(refused: Refused) -> Reason:
    return Reason(refused.reason) if refused.reason in set(Reason) else Reason.SOURCE_REFUSED


async def _tree(world: World, pull: PullRequest, context: str) -> str | None:
    return await world.source.tree(pull.repository, pull.head_commit, context)


def _missing(context: str) -> Flaw:
    return Flaw(BLUEPRINT_FILE, 1, 1, f"the build context `{context}` is not a folder of this commit", "check the path")


async def _read(world: World, pull: PullRequest) -> Blueprint | Unchanged | Absent:
    app = slug(pull.repository.full_name.rpartition("/")[2])
    raw = await world.source.read(pull.repository, pull.head_commit, BLUEPRINT_FILE, limit=_FILE_LIMIT)
    if raw is not None:
        parsed = await asyncio.to_thread(_parsed, raw, file=BLUEPRINT_FILE, fallback_app=app)
        if isinstance(parsed, Blueprint):
            return environments.apply(parsed, PREVIEW)
        return Unchanged(Reason.BLUEPRINT_FLAWED, pull.head_commit, flaws=parsed)
    dockerfile = await world.source.read(pull.repository, pull.head_commit, "Dockerfile", limit=_FILE_LIMIT)
    return Absent(Reason.NO_BLUEPRINT) if dockerfile is None else wire.from_dockerfile(dockerfile, app=app)


async def desire(
    world: World, policy: Policy, pull: PullRequest, *, definition: Definition, record: Record
) -> tuple[Desired, Record]:
    """Turn a definition into what should run, unless a filter says otherwise; claims host names and makes secrets."""
    filters = overlay(definition.blueprint.previews, policy.filters, FALLBACK_FILTERS)
    paths = tuple(await world.hub.changed_paths(pull)) if filters.paths else None
    absent = filtered(pull, filters, paths)
    if absent:
        return absent, record
    if unknown := unknown_sizes(definition.blueprint, policy.shelf.sizes):
        flaws = tuple(_no_size(each, definition.blueprint, policy.shelf.sizes) for each in unknown)
        return Unchanged(Reason.BLUEPRINT_FLAWED, pull.head_commit, flaws=flaws), record
    app, repository = definition.blueprint.app, pull.repository.full_name
    if asked(definition.blueprint) and not may_ask(app, repository, policy.owners):
        return Unchanged(Reason.SECRETS_MISSING, pull.head_commit, _not_its_own(app, repository)), record
    versions, record = await vault.look(world, record, definition.blueprint, policy.shelf)
    if lacking := missing(definition.blueprint, versions):
        return Unchanged(Reason.SECRETS_MISSING, pull.head_commit, _how_to_set(definition.blueprint, lacking)), record
    hosts = await _claim(world, policy, pull, definition.blueprint)
    basis = Basis(definition.trees, hosts, policy.address, record.redeploy, versions, policy.shelf, record.seeded)
    return present(pull, definition.blueprint, basis), record


def _no_size(name: str, blueprint: Blueprint, known: Collection[str]) -> Flaw:
    sizes = [(each.name, each.size) for each in blueprint.services]
    sizes += [(each.name, each.size) for each in blueprint.resources]
    askers = ", ".join(f"`{asker}`" for asker, size in sizes if size == name)
    fix = f"there are {', '.join(f'`{each}`' for each in known)}" if known else "the operator has defined none"
    return Flaw(BLUEPRINT_FILE, 0, 0, f"there is no size `{name}`, asked for by {askers}", fix)


def _not_its_own(app: str, repository: str) -> str:
    return (
        f"the secrets of `{app}` are not open to {repository}. The operator can allow it under `secrets.repositories`"
    )


def _how_to_set(blueprint: Blueprint, lacking: Mapping[str, tuple[str, ...]]) -> str:
    """Say which secrets are missing, for whom, and what somebody who may set them writes."""
    names = ", ".join(f"`{name}` ({', '.join(services)})" for name, services in lacking.items())
    return f"{names}. An operator sets one with `previewbot secrets set {blueprint.app} {next(iter(lacking))}`"


async def _claim(world: World, policy: Policy, pull: PullRequest, blueprint: Blueprint) -> Mapping[str, str]:
    """Claim this environment's host names; where another app of the same name has one, ours tell the repository too."""
    number, domain = pull.key.number, policy.address.domain
    hosts = host_names(blueprint, number, domain)
    owned = set(await world.store.claim(pull.key, tuple(hosts.values())))
    if owned >= set(hosts.values()):
        return hosts
    longer = host_names(blueprint, number, domain, suffix=str(pull.key.repository))
    await world.store.claim(pull.key, tuple(longer.values()))
    return {name: host if host in owned else longer[name] for name, host in hosts.items()}
