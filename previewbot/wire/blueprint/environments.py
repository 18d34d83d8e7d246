"""Environments that name what is not there, or that set for it what it cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from previewbot.core.blueprint import PREVIEW, Flaw, Kind, ResourceType
from previewbot.wire.blueprint.links import sized_volume, unknown
from previewbot.wire.blueprint.outline import Outline, Raw, mapping
from previewbot.wire.blueprint.wording import show, subject
from previewbot.wire.yaml_source import Document, Path


def misfits(document: Document, outline: Outline) -> Iterator[Flaw]:
    """Find them, and the domains that two environments share."""
    domains: dict[str, str] = {}
    for name, environment in mapping(document.value, "environments").items():
        path: Path = ("environments", name)
        yield from _services(document, path, environment, outline)
        yield from _resources(document, path, environment, outline)
        domain = environment.get("domain") if isinstance(environment, dict) else None
        if not isinstance(domain, str):
            continue
        if name == PREVIEW:
            problem = "previews cannot have one domain: every pull request has its own"
            yield document.flaw((*path, "domain"), problem, "leave it out", key=True)
        if other := domains.get(domain):
            problem = f"environment `{show(other)}` has the domain `{show(domain)}` too"
            yield document.flaw((*path, "domain"), problem, "give each its own")
        domains.setdefault(domain, name)


def _services(document: Document, path: Path, environment: object, outline: Outline) -> Iterator[Flaw]:
    for name, override in mapping(environment, "services").items():
        place: Path = (*path, "services", name)
        yield from unknown(document, place, outline.services, "service", key=True)
        kind = outline.kind(name) if name in outline.services else None
        if kind and isinstance(override, dict):
            yield from _of_a_kind(document, place, override, kind)


def _of_a_kind(document: Document, path: Path, override: Raw, kind: Kind) -> Iterator[Flaw]:
    if override.get("replicas") is not None and not kind.stays:
        problem = f"{subject((*path, 'replicas'))} is for what stays, and a {kind} service runs to its end"
        yield document.flaw((*path, "replicas"), problem, "leave it out", key=True)
    if override.get("schedule") is not None and kind != Kind.CRON:
        problem = f"{subject((*path, 'schedule'))} is for the kind cron, not {kind}"
        yield document.flaw((*path, "schedule"), problem, "leave it out", key=True)


def _resources(document: Document, path: Path, environment: object, outline: Outline) -> Iterator[Flaw]:
    for name, override in mapping(environment, "resources").items():
        place: Path = (*path, "resources", name)
        yield from unknown(document, place, outline.resources, "resource", key=True)
        if outline.resources.get(name) == ResourceType.VOLUME and (*place, "size") in document.places:
            yield sized_volume(document, (*place, "size"))
        if path[-1] == PREVIEW and isinstance(override, dict) and override.get("backups") is not None:
            problem = f"{subject((*place, 'backups'))} cannot be: previews keep no backups"
            yield document.flaw((*place, "backups"), problem, "leave it out", key=True)
