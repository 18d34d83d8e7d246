"""Keys of one service that do not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from previewbot.core.blueprint import Flaw, Kind
from previewbot.wire.blueprint.outline import Outline, Raw, entries, mapping
from previewbot.wire.blueprint.texts import NO_VERSION, VERSION
from previewbot.wire.blueprint.wording import show, subject, where
from previewbot.wire.yaml_source import Document, Path

_TIMED = ("schedule", "timezone", "concurrency", "history")
_STAYING = ("port", "health", "replicas")


def contradictions(document: Document, outline: Outline) -> Iterator[Flaw]:
    """Find them in all services, whether or not the rest of the file is right."""
    for name, service in outline.services.items():
        yield from _made(document, name, service)
        yield from _reached(document, outline, name)
        yield from _timed(document, outline, name)
        yield from _secret(document, name, service)
    for name in outline.resources:
        version = mapping(mapping(document.value, "resources"), name).get("version")
        if isinstance(version, int | float) and not isinstance(version, bool):
            yield from _version(document, ("resources", name, "version"))


def _version(document: Document, path: Path) -> Iterator[Flaw]:
    """A number is taken as it is written, and not everything that YAML reads as one is a version: `.5`, `+1`."""
    written, (problem, fix) = document.written.get(path), NO_VERSION
    if written is not None and not re.fullmatch(VERSION, written, re.ASCII):
        yield document.flaw(path, f"{subject(path)} {problem}", fix)


def _made(document: Document, name: str, service: Raw) -> Iterator[Flaw]:
    build, image = (service.get(key) is not None for key in ("build", "image"))
    if build == image:
        has = "both `build` and `image`" if build else "neither `build` nor `image`"
        problem = f"service `{show(name)}` has {has}"
        yield document.flaw(("services", name), problem, "give exactly one of them", key=True)


def _reached(document: Document, outline: Outline, name: str) -> Iterator[Flaw]:
    path: Path = ("services", name)
    service, shown = outline.services[name], f"service `{show(name)}`"
    health = service.get("health")
    asks = health.get("path") is not None if isinstance(health, dict) else isinstance(health, str)
    if isinstance(health, dict) and asks and health.get("command") is not None:
        yield document.flaw((*path, "health"), f"{shown} has both a health path and a health command", "keep one")
    if not outline.kind(name) or outline.kind(name) in {Kind.CRON, Kind.JOB} or service.get("port") is not None:
        return
    if service.get("public") is True:
        yield document.flaw((*path, "public"), f"{shown} is public but has no port", "give its `port`")
    if asks:
        yield document.flaw((*path, "health"), f"{shown} has a health path but no port", "give its `port`")
    if outline.kind(name) == Kind.WEB:
        fix = "give its `port`, or make it `kind: worker`"
        yield document.flaw((*path, "kind"), f"{shown} is of the kind web but has no port", fix)


def _timed(document: Document, outline: Outline, name: str) -> Iterator[Flaw]:
    path: Path = ("services", name)
    service, kind = outline.services[name], outline.kind(name)
    if kind is None:
        return
    shown = f"service `{show(name)}`"
    if kind == Kind.CRON and service.get("schedule") is None:
        yield document.flaw(path, f"{shown} is of the kind cron but has no schedule", "give its `schedule`", key=True)
    for key in _TIMED if kind != Kind.CRON else ():
        if service.get(key) is not None:
            fix = "write `kind: cron`, or leave it out"
            yield document.flaw(
                (*path, key), f"{subject((*path, key))} is for the kind cron, not {kind}", fix, key=True
            )
    if kind == Kind.WORKER and service.get("port") is not None:
        fix = "leave the port out, or make it `kind: web`"
        yield document.flaw((*path, "port"), f"{shown} is of the kind worker but has a port", fix, key=True)
    yield from _lasting(document, name, service, kind)
    if not kind.stays and service.get("public") is True:
        yield document.flaw(
            (*path, "public"), f"{shown} is public, but nobody can call a {kind} service", "leave it out"
        )


def _lasting(document: Document, name: str, service: Raw, kind: Kind) -> Iterator[Flaw]:
    """Keys of what stays at what runs to its end, and the other way round."""
    path: Path = ("services", name)
    if kind.stays and service.get("timeout") is not None:
        problem = f"{subject((*path, 'timeout'))} is for what runs to its end, and a {kind} service stays"
        fix = "leave it out; how long a start may take is `health: timeout`"
        yield document.flaw((*path, "timeout"), problem, fix, key=True)
    for key in _STAYING if not kind.stays else ():
        if service.get(key) is not None:
            problem = f"{subject((*path, key))} is for what stays, and a {kind} service runs to its end"
            yield document.flaw((*path, key), problem, "leave it out", key=True)


def _secret(document: Document, name: str, service: Raw) -> Iterator[Flaw]:
    seen: set[str] = set()
    for path, secret in entries(("services", name, "secrets"), service.get("secrets")):
        if secret in seen:
            yield document.flaw(path, f"`{show(secret)}`{where(path[:-1])} stands there twice", "remove one of them")
        elif secret in mapping(service, "env"):
            problem = f"`{show(secret)}` is both in `env` and in `secrets`{where(path[:-2])}"
            yield document.flaw(path, problem, "remove one of them")
        seen.add(secret)
