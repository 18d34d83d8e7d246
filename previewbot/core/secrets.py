"""Secrets by name: whose they are, which version, and where one belongs in a text. No value is ever in here.

A question to a store is always bound to one scope: an app and one kind of environment or, for what is made for one
environment alone, its key. So what runs for a preview cannot name production's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from previewbot.core.blueprint import PREVIEW, Blueprint, Resource, ResourceType
from previewbot.core.ids import Key, slug
from previewbot.core.references import secrets_needed

SHARED = "shared"
"""The owner of what every service of an app may declare."""
PASSWORD = "password"  # noqa: S105 - the name of one  # nosec B105
ACCESS_KEY = "access-key"
"""The name under which a cloud knows whoever has the password."""
_PASSWORD_LENGTH = 32
NO_APP = "_"
"""Stands where an app does, and is the name of none."""
_WITHOUT_PASSWORD = (ResourceType.VOLUME,)


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Whose secrets: those of every environment of one kind of an app or, with a key, those made for one of them."""

    app: str
    kind: str
    environment: str | None = None

    @classmethod
    def own(cls, key: Key) -> Scope:
        """Of what was made for one environment: it stays whatever the app is called, as the data does that it opens."""
        return cls(NO_APP, PREVIEW, str(key))

    def __str__(self) -> str:
        """``shop/preview``, ``_/preview/~pr-7-42``: the folder in every store."""
        return "/".join((self.app, self.kind, *((f"~{self.environment}",) if self.environment else ())))


@dataclass(frozen=True, slots=True, order=True)
class SecretName:
    """A secret in a scope: of a service, of a resource or of all (``SHARED``)."""

    owner: str
    name: str

    def __str__(self) -> str:
        """``web/STRIPE_KEY``: what follows the folder in every store."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Seal:
    """Where a secret belongs in a text, and in which version: a release with another version is another release."""

    name: SecretName
    version: str
    own: bool
    """Made for this environment alone."""


Template = tuple[str | Seal, ...]
"""A text with secrets in it."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What is in the store, as versions: of the kind of environment, and of this environment alone."""

    shared: Mapping[SecretName, str] = field(default_factory=dict)
    own: Mapping[SecretName, str] = field(default_factory=dict)

    def seal(self, blueprint: Blueprint, service: str, name: str) -> Seal | None:
        """Find the secret that a service knows by a name: its own value wins over the one for all."""
        if _length(blueprint, name) is not None:
            generated = SecretName(SHARED, name)
            return Seal(generated, self.own[generated], own=True) if generated in self.own else None
        found = (SecretName(owner, name) for owner in (service, SHARED))
        return next((Seal(each, self.shared[each], own=False) for each in found if each in self.shared), None)

    def made(self, name: SecretName) -> Seal:
        """A secret that was made for this environment."""
        return Seal(name, self.own[name], own=True)

    def password(self, resource: str) -> Seal:
        """The password of a resource."""
        return self.made(SecretName(resource, PASSWORD))


def may_ask(app: str, repository: str, owners: Mapping[str, str]) -> bool:
    """Whether a repository may have the secrets of an app: a blueprint can name any app, and is no proof of being it.

    It is the one that the operator named for the app or, where none is named, the one that is called like the app.
    """
    return repository == owners[app] if app in owners else slug(repository.rpartition("/")[2]) == app


def generated(blueprint: Blueprint, clouds: Callable[[Resource], bool] = lambda _: False) -> Mapping[SecretName, int]:
    """What is made for each environment alone, and how many characters of it: generated secrets, and passwords.

    A cloud makes those of its own resources.
    """
    made = {SecretName(SHARED, each.name): each.generate for each in blueprint.secrets if each.generate}
    servers = (each for each in blueprint.resources if each.type not in _WITHOUT_PASSWORD and not clouds(each))
    return made | {SecretName(each.name, PASSWORD): _PASSWORD_LENGTH for each in servers}


def credentials(resource: str) -> tuple[SecretName, SecretName]:
    """What a cloud makes for a resource: whom it knows, and that one's password."""
    return SecretName(resource, ACCESS_KEY), SecretName(resource, PASSWORD)


def asked(blueprint: Blueprint) -> frozenset[SecretName]:
    """Where what somebody has to set for it may be: each for its service, or for all of them."""
    return frozenset(
        SecretName(owner, name)
        for service, names in secrets_needed(blueprint).items()
        for name in names
        if _length(blueprint, name) is None
        for owner in (service, SHARED)
    )


def missing(blueprint: Blueprint, versions: Versions) -> Mapping[str, tuple[str, ...]]:
    """The secrets that are not set by those who have to, and which services wait for each."""
    found: dict[str, tuple[str, ...]] = {}
    for service, names in secrets_needed(blueprint).items():
        for name in names:
            if _length(blueprint, name) is None and versions.seal(blueprint, service, name) is None:
                found[name] = (*found.get(name, ()), service)
    return found


def _length(blueprint: Blueprint, name: str) -> int | None:
    return next((each.generate for each in blueprint.secrets if each.name == name), None)


def plain(template: Template) -> str | None:
    """The text, where there is no secret in it."""
    return None if any(isinstance(part, Seal) for part in template) else "".join(map(str, template))


def divide(templates: Mapping[str, Template]) -> tuple[dict[str, str], dict[str, Template]]:
    """Tell plain texts from those with secrets in them."""
    known = {name: text for name, each in templates.items() if (text := plain(each)) is not None}
    return known, {name: each for name, each in templates.items() if name not in known}


def seals(templates: Mapping[str, Template]) -> frozenset[Seal]:
    """The secrets that belong in some texts."""
    return frozenset(part for each in templates.values() for part in each if isinstance(part, Seal))


def open_all(templates: Mapping[str, Template], value: Callable[[Seal], str]) -> dict[str, str]:
    """Put the value of every secret in its place: for the moment when a program is started, and for nothing else."""
    return {
        name: "".join(value(part) if isinstance(part, Seal) else part for part in template)
        for name, template in templates.items()
    }
