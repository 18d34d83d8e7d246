"""What a file says it is made of, read tolerantly: so that all flaws are told at once, whatever else is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from previewbot.core import references
from previewbot.core.blueprint import Kind, ResourceType
from previewbot.wire.yaml_source import Document, Path

Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a file that are mappings where they should be; what else is wrong with them is told elsewhere."""

    services: Mapping[str, Raw]
    resources: Mapping[str, ResourceType | None]
    """``None``: of no type that there is."""
    secrets: frozenset[str]
    """All that the file names anywhere but in a command."""

    def kind(self, service: str) -> Kind | None:
        """What a service is, written or by default; ``None`` where what is written is no kind."""
        written = self.services[service].get("kind")
        if written is None:
            return Kind.WEB if self.services[service].get("port") is not None else Kind.WORKER
        return Kind(written) if isinstance(written, str) and written in list(Kind) else None

    def is_public(self, service: str) -> bool:
        """Whether a service has a URL, written or by default."""
        written = self.services[service].get("public")
        return service == self._default() if written is None else written is True

    def _default(self) -> str | None:
        ported = [name for name, service in self.services.items() if service.get("port") is not None]
        return "web" if "web" in ported else ported[0] if len(ported) == 1 else None


def outline(document: Document) -> Outline:
    """Read what can be read."""
    services = {name: each for name, each in mapping(document.value, "services").items() if isinstance(each, dict)}
    resources = {name: _type(each) for name, each in mapping(document.value, "resources").items()}
    secrets = set(names(document.value, "secrets")) | set(mapping(document.value, "secrets"))
    for name, service in services.items():
        secrets |= {*names(service, "secrets"), *names(mapping(service, "build"), "secrets")}
        written = (document.written.get(("services", name, "env", key), "") for key in mapping(service, "env"))
        secrets |= set(references.secrets(*written))
    return Outline(services, resources, frozenset(secrets))


def _type(resource: object) -> ResourceType | None:
    written = resource.get("type") if isinstance(resource, dict) else resource
    return ResourceType(written) if isinstance(written, str) and written in list(ResourceType) else None


def mapping(value: object, key: str) -> Raw:
    """The mapping below a key, or an empty one."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def names(value: object, key: str) -> list[str]:
    """The texts of the list below a key."""
    found = value.get(key) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def entries(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    """The texts of a list with their paths."""
    for position, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, str):
            yield (*path, position), each


def hooks(document: Document) -> Iterator[tuple[Path, Raw]]:
    """All hooks of the file, those that seed a resource among them, with their paths."""
    for name, hook in mapping(document.value, "hooks").items():
        if isinstance(hook, dict):
            yield ("hooks", name), hook
    for name, resource in mapping(document.value, "resources").items():
        seed = mapping(resource, "seed")
        if seed:
            yield ("resources", name, "seed"), seed
