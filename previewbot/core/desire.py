"""What should be: from a pull request, its blueprint and the operator's policy to one release, or to none and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase

from previewbot.core import stages
from previewbot.core.blueprint import PREVIEW, Blueprint, Build, Filters, Flaw, Kind, Service
from previewbot.core.ids import digest, host_label
from previewbot.core.model import HookPoint, ImageOrder, PullRequest, Reason, Redeploy, ReleaseSpec, ServiceSpec
from previewbot.core.references import Reference, resources_of, substitute

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


def beyond(blueprint: Blueprint) -> tuple[str, ...]:
    """Name what an app asks for and no runtime does yet: it is refused whole, for nothing starts half configured."""
    services = blueprint.services
    parts = {
        "resources": blueprint.resources,
        "secrets": blueprint.secrets or any(each.secrets for each in services),
        "hooks.destroy": blueprint.hooks.destroy,
        "kind: cron and job": any(each.kind in (Kind.CRON, Kind.JOB) for each in services),
        "volumes": any(each.volumes for each in services),
        "references to resources": any(resources_of(each) for each in services),
    }
    return tuple(name for name, asked in parts.items() if asked)


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
    args = tuple(part for name in sorted(build.args) for part in (name, build.args[name]))
    return digest("image-1", str(repository), tree, build.dockerfile, build.target or "", nonce, *args, length=32)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a release is made from, beside its pull request and its blueprint."""

    trees: Mapping[str, str]
    """Build context to git tree hash."""
    hosts: Mapping[str, str]
    """Public service to host name."""
    address: Address
    redeploy: Redeploy | None = None


def present(pull: PullRequest, blueprint: Blueprint, basis: Basis) -> Present:
    """Turn a blueprint at one commit into the release that should run, and the images that it takes."""
    fresh = basis.redeploy is not None and basis.redeploy.commit == pull.head_commit
    nonce = str(basis.redeploy.ask) if basis.redeploy and fresh else ""
    known = _Known(pull, *_urls(blueprint, basis))
    orders: dict[str, ImageOrder] = {}
    specs = []
    for service in blueprint.services:
        image, build = service.image or "", service.build and known.fill_build(service.build)
        if build:
            image = image_of(build, basis.trees[build.context], pull.repository.id, nonce)
            order = ImageOrder(image, pull.key, service.name, pull.repository, pull.head_commit, build, fresh=fresh)
            orders.setdefault(image, order)
        specs.append(_specify(replace(service, build=build), image, basis, known))
    services = _with_hooks(blueprint, tuple(specs), known)
    revision = _revision(services, nonce)
    release = ReleaseSpec(pull.key, revision, blueprint.app, pull.head_commit, services, known.public)
    return Present(release, tuple(orders.values()))


def _with_hooks(blueprint: Blueprint, services: tuple[ServiceSpec, ...], known: _Known) -> tuple[ServiceSpec, ...]:
    """Add what runs once before the others, which then wait for it."""
    hook = blueprint.hooks.release
    if hook is None:
        return services
    of = next(each for each in services if each.name == hook.service)
    command = tuple(map(known.fill, hook.command))
    job = stages.hook(HookPoint.RELEASE, replace(hook, command=command), of)
    return (job, *(replace(each, after=(job.name, *each.after)) for each in services))


def _specify(service: Service, image: str, basis: Basis, known: _Known) -> ServiceSpec:
    return ServiceSpec(
        name=service.name,
        image=image,
        build=service.build,
        command=tuple(map(known.fill, service.command)) if service.command is not None else None,
        port=service.port,
        host=basis.hosts.get(service.name),
        health=service.health,
        env=known.told(service) | {name: known.fill(text) for name, text in service.env.items()},
        replicas=service.replicas,
        kind=service.kind,
        after=service.depends_on,
    )


Urls = Mapping[str, str]
"""Service name to URL."""


def _urls(blueprint: Blueprint, basis: Basis) -> tuple[Urls, Urls]:
    """The URLs by which siblings reach each service with a port, and the public ones, the main one first."""
    inside = {each.name: f"http://{each.name}:{each.port}" for each in blueprint.services if each.port}
    return inside, {name: basis.address.url(host) for name, host in basis.hosts.items()}


@dataclass(frozen=True, slots=True)
class _Known:
    """What the texts of a blueprint may refer to, in one environment and at one commit."""

    pull: PullRequest
    inside: Urls
    public: Urls

    def fill(self, text: str) -> str:
        """Put the value of every reference in its place."""
        return substitute(text, self._value)

    def fill_build(self, build: Build) -> Build:
        """Fill the arguments of a build: an image differs by what it was told."""
        return replace(build, args={name: self.fill(text) for name, text in build.args.items()})

    def _value(self, reference: Reference) -> str:
        match reference.path:
            case ("services", name, "url"):
                return self.inside[name]
            case ("services", name, "public_url"):
                return self.public[name]
            case ("environment", field):
                number = str(self.pull.key.number)
                return {"name": f"pr-{number}", "kind": PREVIEW, "number": number}[field]
            case ("commit", "sha"):
                return self.pull.head_commit
            case _:  # found when the blueprint is read
                raise LookupError(f"{reference} leads nowhere")

    def told(self, service: Service) -> dict[str, str]:
        """The variables that previewbot gives to a service, under those that the blueprint gives."""
        main = self.public.get(service.name) or next(iter(self.public.values()), None)
        urls = {**self.inside, **self.public}
        told = {f"PREVIEWBOT_{name.upper().replace('-', '_')}_URL": url for name, url in urls.items()}
        told |= {
            "PREVIEWBOT": "1",
            "PREVIEWBOT_COMMIT": self.pull.head_commit,
            "PREVIEWBOT_PULL_REQUEST": str(self.pull.key.number),
            "PREVIEWBOT_SERVICE": service.name,
        }
        if main:
            told["PREVIEWBOT_URL"] = main
        if service.port:
            told["PORT"] = str(service.port)
        return told


def _revision(specs: tuple[ServiceSpec, ...], nonce: str) -> str:
    """Hash everything that runs; what differs in nothing is the same release."""
    return digest("release-1", nonce, *(repr(_plain(spec)) for spec in specs), length=12)


def _plain(spec: ServiceSpec) -> tuple[object, ...]:
    values = (getattr(spec, each.name) for each in fields(ServiceSpec))
    return tuple(sorted(value.items()) if isinstance(value, Mapping) else _build(value) for value in values)


def _build(value: object) -> object:
    if isinstance(value, Build):
        return (value.context, value.dockerfile, value.target, sorted(value.args.items()))
    return value
