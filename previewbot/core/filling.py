"""What the texts of a blueprint may refer to, in one environment and at one commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from previewbot.core import resources
from previewbot.core.blueprint import PREVIEW, Blueprint, Build, Resource, Service
from previewbot.core.model import PullRequest
from previewbot.core.references import Reference, split
from previewbot.core.resources import Shelf, Spot
from previewbot.core.secrets import Seal, Template, Versions, divide, plain

Urls = Mapping[str, str]
"""Service name to URL."""
ARGUMENT = "PREVIEWBOT_ARGUMENT_"
COMMIT = "PREVIEWBOT_COMMIT"
PORT = "PORT"
"""The commit that a service was started for: the same program goes on running over the pushes that do not touch it."""


def argument(position: int) -> str:
    """The name of the secret variable that stands for one argument of a command."""
    return f"{ARGUMENT}{position}"


@dataclass(frozen=True, slots=True)
class Filling:
    """What is known of one environment."""

    pull: PullRequest
    blueprint: Blueprint
    inside: Urls
    """The URLs by which siblings reach each service with a port."""
    public: Urls
    """The public ones, the main one first."""
    versions: Versions
    shelf: Shelf
    environment: str = PREVIEW
    """The environment's name in the blueprint."""

    def plain(self, text: str) -> str:
        """Fill a text that may hold no secret; ``LookupError`` where it does."""
        made = plain(self.template(text, ""))
        if made is None:
            raise LookupError("a secret stands where none may")
        return made

    def build(self, build: Build) -> Build:
        """Fill the arguments of a build: an image differs by what it was told."""
        return replace(build, args={name: self.plain(text) for name, text in build.args.items()})

    def template(self, text: str, service: str) -> Template:
        """Put a value in the place of every reference of a service's text, and a seal where that is secret."""
        made: list[str | Seal] = []
        for part in split(text):
            made += [part] if isinstance(part, str) else self._value(part, service)
        return tuple(made)

    def _value(self, reference: Reference, service: str) -> Template:
        match reference.path:
            case ("services", name, "url"):
                return (self.inside[name],)
            case ("services", name, "public_url"):
                return (self.public[name],)
            case ("environment", field):
                return (self._environment()[field],)
            case ("commit", "sha"):
                return (self.pull.head_commit,)
            case ("secrets", name):
                return (self.secret(service, name),)
            case ("resources", name, field):
                resource = next(each for each in self.blueprint.resources if each.name == name)
                spot = Spot(self.pull.key, self.blueprint.app, self.shelf)
                return resources.fields(resource, self.versions, spot)[field]
            case _:  # found when the blueprint is read
                raise LookupError(f"{reference} leads nowhere")

    def volume(self, resource: Resource) -> str:
        """What the volume of a resource is called."""
        return resources.volume(resource, self.versions, self.shelf)

    def needs(self, names: Iterable[str]) -> tuple[str, ...]:
        """The volumes of those resources of these names that run as servers."""
        known = {each.name: each for each in self.blueprint.resources}
        return tuple(self.volume(known[name]) for name in names if self.shelf.serves(known[name]))

    def _environment(self) -> Mapping[str, str]:
        if self.environment != PREVIEW:
            return {"name": self.environment, "kind": self.environment, "number": ""}
        number = str(self.pull.key.number)
        return {"name": f"pr-{number}", "kind": PREVIEW, "number": number}

    def secret(self, service: str, name: str) -> Seal:
        """The secret that a service knows by a name; ``LookupError`` where it is not set."""
        seal = self.versions.seal(self.blueprint, service, name)
        if seal is None:
            raise LookupError(f"the secret {name} is not set")
        return seal

    def variables(self, service: Service) -> Mapping[str, Template]:
        """Everything that a service finds in its environment."""
        told: dict[str, Template] = {name: (value,) for name, value in self._told(service).items()}
        told |= {name: (self.secret(service.name, name),) for name in service.secrets}
        return told | {name: self.template(text, service.name) for name, text in service.env.items()}

    def command(self, words: tuple[str, ...], service: str) -> tuple[tuple[str, ...], Mapping[str, Template]]:
        """A command without what is secret of it, and that as variables, each named after its ``argument``."""
        made = {argument(place): self.template(word, service) for place, word in enumerate(words)}
        known, sealed = divide(made)
        return tuple(known.get(name, "") for name in made), sealed

    def _told(self, service: Service) -> dict[str, str]:
        """What previewbot tells a service, under what the blueprint gives it."""
        main = self.public.get(service.name) or next(iter(self.public.values()), None)
        urls = {**self.inside, **self.public}
        told = {f"PREVIEWBOT_{name.upper().replace('-', '_')}_URL": url for name, url in urls.items()}
        told |= {
            "PREVIEWBOT": "1",
            COMMIT: self.pull.head_commit,
            "PREVIEWBOT_SERVICE": service.name,
        }
        if number := self._environment()["number"]:
            told["PREVIEWBOT_PULL_REQUEST"] = number
        if main:
            told["PREVIEWBOT_URL"] = main
        if service.port:
            told[PORT] = str(service.port)
        return told


def is_own(name: str) -> bool:
    """Whether it is one of the variables that previewbot gives by itself."""
    return name == PORT or name.startswith("PREVIEWBOT")
