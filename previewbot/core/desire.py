"""What should be: from a pull request, its blueprint and the operator's policy to one release, or to none and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase

from previewbot.core import stages
from previewbot.core.blueprint import (
    PREVIEW,
    Blueprint,
    Build,
    Filters,
    Flaw,
    Health,
    Hook,
    Kind,
    Service,
)
from previewbot.core.filling import ARGUMENT, COMMIT, Filling, Urls
from previewbot.core.ids import digest, host_label
from previewbot.core.model import HookPoint, ImageOrder, PullRequest, Reason, Redeploy, ReleaseSpec, ServiceSpec
from previewbot.core.references import resources as resources_in
from previewbot.core.references import resources_of
from previewbot.core.resources import Shelf, Spot, server
from previewbot.core.secrets import Versions, divide

FALLBACK_FILTERS = Filters(
    drafts=False,
    label="preview",
    label_required=False,
    exclude_label="no-preview",
    branches=(),
    paths=(),
)
"""What holds where neither the operator nor the blueprint says anything."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where previews are reached from outside."""

    domain: str = "localhost"
    port: int = 8080
    scheme: str = "http"

    def url(self, host: str) -> str:
        """The URL of a host name, without a port where the scheme implies it."""
        implied = {"http": 80, "https": 443}[self.scheme] == self.port
        return f"{self.scheme}://{host}" + ("" if implied else f":{self.port}")


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing should run, for this reason."""

    reason: Reason
    detail: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether its pull request is over, or cannot be seen any more; anything else may pass."""
        return self.reason in (Reason.CLOSED, Reason.MERGED, Reason.UNINSTALLED)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What runs should stay as it is until a person mends this."""

    reason: Reason
    commit: str
    detail: str | None = None
    flaws: tuple[Flaw, ...] = ()


@dataclass(frozen=True, slots=True)
class Present:
    """This release should run, these images should exist for it, and these resources beside it."""

    release: ReleaseSpec
    orders: tuple[ImageOrder, ...]
    resources: tuple[ReleaseSpec, ...] = ()
    clouds: frozenset[str] = frozenset()
    """The resources that no volume here holds, each by what its volume would be called."""

    @property
    def volumes(self) -> frozenset[str]:
        """The names of the volumes that should be there."""
        return frozenset(name for each in (self.release, *self.resources) for name in each.volumes)


Desired = Absent | Unchanged | Present


def closed(pull: PullRequest | None) -> Absent | None:
    """Say that nothing should run for a pull request that is over, or that cannot be seen any more."""
    if pull is None:
        return Absent(Reason.UNINSTALLED)
    if pull.is_open:
        return None
    return Absent(Reason.MERGED if pull.is_merged else Reason.CLOSED)


def overlay(*layers: Filters) -> Filters:
    """Lay filters over each other: the first one that says something wins, field by field."""
    return Filters(
        **{
            each.name: next((value for layer in layers if (value := getattr(layer, each.name)) is not None), None)
            for each in fields(Filters)
        }
    )


def filtered(pull: PullRequest, filters: Filters, paths: tuple[str, ...] | None) -> Absent | None:
    """Say which filter keeps a pull request from a preview; ``paths`` are its changed files where any filter asks.

    The excluding label always wins. The asking label overrides drafts and paths, never the branch.
    """
    if filters.exclude_label and filters.exclude_label in pull.labels:
        return Absent(Reason.LABEL_EXCLUDED, filters.exclude_label)
    if filters.branches and not _matches(pull.base_branch, filters.branches):
        return Absent(Reason.BRANCH_FILTERED, pull.base_branch)
    asked = bool(filters.label) and filters.label in pull.labels
    if asked:
        return None
    if filters.label_required:
        return Absent(Reason.LABEL_MISSING, filters.label)
    if pull.is_draft and not filters.drafts:
        return Absent(Reason.DRAFT, filters.label)
    if filters.paths and not any(_matches(path, filters.paths) for path in paths or ()):
        return Absent(Reason.PATHS_FILTERED, ", ".join(filters.paths))
    return None


def _matches(text: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def unknown_sizes(blueprint: Blueprint, known: Collection[str]) -> tuple[str, ...]:
    """Name the sizes that an app asks for and the operator does not have."""
    asked = [each.size for each in blueprint.services] + [each.size for each in blueprint.resources]
    return tuple(dict.fromkeys(name for name in asked if name is not None and name not in known))


def host_names(blueprint: Blueprint, number: int, domain: str, suffix: str = "") -> Mapping[str, str]:
    """Name the host of each public service: ``pr-42-shop`` for the main one, ``pr-42-shop-admin`` for another.

    The main one is ``web``, or the first that is public. ``suffix`` tells two apps of the same name apart.
    """
    public = [service.name for service in blueprint.services if service.public]
    main = "web" if "web" in public else next(iter(public), None)
    tail = (suffix,) if suffix else ()
    return {
        name: f"{host_label('pr', str(number), blueprint.app, *(() if name == main else (name,)), *tail)}.{domain}"
        for name in sorted(public, key=lambda name: name != main)
    }


def image_of(build: Build, tree: str, repository: int, nonce: str) -> str:
    """Hash everything that goes into an image: the same hash is the same image, whatever commit asks for it."""
    # As one part: where the arguments end and the secrets begin is a part of what goes in.
    rest = repr((sorted(build.args.items()), build.secrets))
    return digest("image-2", str(repository), tree, build.dockerfile, build.target or "", nonce, rest, length=32)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a release is made from, beside its pull request and its blueprint."""

    trees: Mapping[str, str]
    """Build context to git tree hash."""
    hosts: Mapping[str, str]
    """Public service to host name."""
    address: Address
    redeploy: Redeploy | None = None
    versions: Versions = field(default_factory=Versions)
    """Which secrets there are."""
    shelf: Shelf = field(default_factory=Shelf)
    seeded: frozenset[str] = frozenset()
    """The volumes that were filled already."""
    environment: str = PREVIEW
    """The environment's name in the blueprint."""


def present(pull: PullRequest, blueprint: Blueprint, basis: Basis) -> Present:
    """Turn a blueprint at one commit into the release that should run, its images, and what it works with."""
    fresh = basis.redeploy is not None and basis.redeploy.commit == pull.head_commit
    nonce = str(basis.redeploy.ask) if basis.redeploy and fresh else ""
    filling = Filling(pull, blueprint, *_urls(blueprint, basis), basis.versions, basis.shelf, basis.environment)
    orders: dict[str, ImageOrder] = {}
    specs = []
    for service in blueprint.services:
        image, build = service.image or "", service.build and filling.build(service.build)
        if build:
            image = image_of(build, basis.trees[build.context], pull.repository.id, nonce)
            order = ImageOrder(image, pull.key, service.name, pull.repository, pull.head_commit, build, fresh=fresh)
            order = replace(order, sealed={name: filling.secret(service.name, name) for name in build.secrets})
            orders.setdefault(image, order)
        spec = _specify(replace(service, build=build), image, basis, filling)
        specs.append(replace(spec, edition=_edition(spec, service, nonce)))
    services = _with_hooks(blueprint, tuple(specs), filling, basis.seeded)
    revision = _revision(services, nonce)
    release = ReleaseSpec(pull.key, revision, blueprint.app, pull.head_commit, services, filling.public)
    clouds = frozenset(filling.volume(each) for each in blueprint.resources if basis.shelf.clouds(each))
    return Present(release, tuple(orders.values()), _resources(pull, blueprint, basis), clouds)


def _resources(pull: PullRequest, blueprint: Blueprint, basis: Basis) -> tuple[ReleaseSpec, ...]:
    servers = (each for each in blueprint.resources if basis.shelf.serves(each))
    place = Spot(pull.key, blueprint.app, basis.shelf)
    return tuple(server(each, basis.versions, place) for each in servers)


def _with_hooks(
    blueprint: Blueprint, services: tuple[ServiceSpec, ...], filling: Filling, seeded: frozenset[str]
) -> tuple[ServiceSpec, ...]:
    """Add what runs once before the others, which then wait for it: the release hook, and after it the first data."""
    before: tuple[ServiceSpec, ...] = ()
    if hook := blueprint.hooks.release:
        before = (_job("hook.release", HookPoint.RELEASE, hook, services, filling),)
    seeds = tuple(
        replace(
            _job(f"seed.{each.name}", HookPoint.SEED, each.seed, services, filling),
            after=tuple(job.name for job in before),
            seeds=filling.volume(each),
        )
        for each in blueprint.resources
        if each.seed and filling.volume(each) not in seeded
    )
    first = tuple(job.name for job in (*before, *seeds))
    after = tuple(replace(each, after=(*first, *each.after)) for each in services)
    if last := blueprint.hooks.destroy:
        after = (*after, _job(stages.DESTROY_HOOK, HookPoint.DESTROY, last, services, filling))
    return (*before, *seeds, *after)


def _job(  # noqa: PLR0917 - each is a part of it
    name: str, point: HookPoint, hook: Hook, services: tuple[ServiceSpec, ...], filling: Filling
) -> ServiceSpec:
    """The job that a hook is: a command in the place of a service, which nobody calls.

    No service has a dot in its name, as ``name`` has.
    """
    of = next(each for each in services if each.name == hook.service)
    command, sealed = filling.command(hook.command, hook.service)
    kept = {each: template for each, template in of.sealed.items() if not each.startswith(ARGUMENT)}
    return replace(
        of,
        name=name,
        kind=Kind.JOB,
        hook=point,
        command=command,
        health=Health(timeout=hook.timeout),
        port=None,
        host=None,
        replicas=1,
        after=(),
        schedule=None,
        edition="",
        sealed=kept | dict(sealed),
        needs=tuple(dict.fromkeys((*of.needs, *filling.needs(resources_in(*hook.command))))),
    )


def _specify(service: Service, image: str, basis: Basis, filling: Filling) -> ServiceSpec:
    env, sealed = divide(filling.variables(service))
    command, arguments = filling.command(service.command or (), service.name)
    volumes = {each.name: each for each in filling.blueprint.resources}
    return ServiceSpec(
        name=service.name,
        image=image,
        build=service.build,
        command=command if service.command is not None else None,
        port=service.port,
        host=basis.hosts.get(service.name),
        health=service.health if service.kind.stays else Health(timeout=service.timeout),
        env=env,
        replicas=service.replicas,
        kind=service.kind,
        schedule=service.schedule,
        size=basis.shelf.size(service.size),
        after=service.depends_on,
        sealed={**sealed, **arguments},
        volumes={path: filling.volume(volumes[name]) for name, path in service.volumes.items()},
        needs=filling.needs(resources_of(service)),
    )


def _urls(blueprint: Blueprint, basis: Basis) -> tuple[Urls, Urls]:
    """The URLs by which siblings reach each service with a port, and the public ones, the main one first."""
    inside = {each.name: f"http://{each.name}:{each.port}" for each in blueprint.services if each.port}
    return inside, {name: basis.address.url(host) for name, host in basis.hosts.items()}


def _revision(specs: tuple[ServiceSpec, ...], nonce: str) -> str:
    """Hash everything that runs; what differs in nothing is the same release, whether it fills a volume or not."""
    seeds = {each.name for each in specs if each.seeds}
    kept = (
        replace(each, after=tuple(name for name in each.after if name not in seeds)) for each in specs if not each.seeds
    )
    return digest("release-1", nonce, *(repr(_plain(spec)) for spec in kept), length=12)


def _edition(spec: ServiceSpec, service: Service, nonce: str) -> str:
    """Hash what makes a service that stays; the commit only where the blueprint itself tells it, or builds with it."""
    if not spec.kind.stays:
        return ""
    told = {name: value for name, value in spec.env.items() if name != COMMIT or name in service.env}
    return digest("edition-1", nonce, repr(_plain(replace(spec, env=told, after=()))), length=16)


def _plain(spec: ServiceSpec) -> tuple[object, ...]:
    values = (getattr(spec, each.name) for each in fields(ServiceSpec) if each.repr)
    return tuple(sorted(value.items()) if isinstance(value, Mapping) else _build(value) for value in values)


def _build(value: object) -> object:
    if isinstance(value, Build):
        return (value.context, value.dockerfile, value.target, sorted(value.args.items()), value.secrets)
    return value
