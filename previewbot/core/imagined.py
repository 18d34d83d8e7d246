"""What an environment would run, imagined without a pull request: the release and resources that ``desire`` makes.

Whatever only a commit, a cluster or a store knows is a placeholder, the same every time; no secret is ever asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from previewbot.core import environments
from previewbot.core.blueprint import PREVIEW, Blueprint, Build
from previewbot.core.desire import Address, Basis, Present, host_names, present
from previewbot.core.ids import Key, digest, host_label
from previewbot.core.masking import MASK
from previewbot.core.model import Person, PullRequest, ReleaseSpec, Repository
from previewbot.core.resources import Shelf
from previewbot.core.secrets import SHARED, SecretName, Versions, credentials, generated, open_all

KEY = Key(1, 1)
"""Stands for the pull request that nobody opened."""
COMMIT = "0" * 40
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator decides of it."""

    address: Address = field(default_factory=Address)
    shelf: Shelf = field(default_factory=Shelf)


def imagine(blueprint: Blueprint, environment: str, terms: Terms) -> Present:
    """The release of an environment, and those of its resources; sizes that the operator does not have are left out."""
    own = _known(environments.apply(blueprint, environment), terms.shelf)
    hosts = _hosts(blueprint, environment, terms.address)
    builds = (each.build for each in own.services if each.build)
    trees = {each.context: f"tree of {each.context}" for each in builds}
    basis = Basis(trees, hosts, terms.address, None, _versions(own, terms.shelf), terms.shelf, environment=environment)
    repository = Repository(KEY.repository, own.app, 0, "")
    nobody = Person(_UNKNOWN)
    pull = PullRequest(
        KEY, repository, "", nobody, is_open=True, is_merged=False, is_draft=False, labels=frozenset(), base_branch="",
        head_branch="", head_commit=COMMIT, head_repository=KEY.repository,
    )  # fmt: skip
    return present(pull, own, basis)


def digests(made: Present) -> Mapping[str, str]:
    """What stands for each image that would be built: a text that names the build."""
    return {each.image: _name(each.build) for each in made.orders}


def sealed(release: ReleaseSpec) -> Mapping[str, Mapping[str, str]]:
    """The secret variables of each service, every value hidden."""
    return {each.name: open_all(each.sealed, lambda _: MASK) for each in release.services if each.sealed}


def _name(build: Build) -> str:
    folder = "" if build.context == "." else f"{build.context}/"
    stage = f", stage {build.target}" if build.target else ""
    told = [part for name in sorted(build.args) for part in (name, build.args[name])]
    arguments = f", arguments {digest(*told, length=6)}" if told else ""
    return f"<built from {folder}{build.dockerfile}{stage}{arguments}>"


def _hosts(blueprint: Blueprint, environment: str, address: Address) -> Mapping[str, str]:
    """The hosts of an environment: those of a pull request, or its own domain and names before the operator's."""
    hosts = host_names(blueprint, KEY.number, address.domain)
    if environment == PREVIEW:
        return hosts
    declared = blueprint.environments[environment].domain
    made = {}
    for position, name in enumerate(hosts):
        label = host_label(environment, blueprint.app, *((name,) if position else ()))
        made[name] = declared if declared and not position else f"{label}.{address.domain}"
    return made


def _versions(blueprint: Blueprint, shelf: Shelf) -> Versions:
    clouds = (name for each in blueprint.resources if shelf.clouds(each) for name in credentials(each.name))
    return Versions(
        {SecretName(SHARED, each.name): _UNKNOWN for each in blueprint.secrets},
        dict.fromkeys((*generated(blueprint, shelf.clouds), *clouds), _UNKNOWN),
    )


def _known(blueprint: Blueprint, shelf: Shelf) -> Blueprint:
    """The app without the sizes that nobody defined."""

    def known(name: str | None) -> str | None:
        return name if name in shelf.sizes else None

    return replace(
        blueprint,
        services=tuple(replace(each, size=known(each.size)) for each in blueprint.services),
        resources=tuple(replace(each, size=known(each.size)) for each in blueprint.resources),
    )
