"""Names in a blueprint that lead to other parts of it: to services, volumes and resources that are there, or not."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator, Mapping

from previewbot.core.blueprint import Flaw, ResourceType
from previewbot.core.resources import UNVERSIONED
from previewbot.wire.blueprint.outline import Outline, entries, hooks, mapping
from previewbot.wire.blueprint.wording import show, subject, suggest, where
from previewbot.wire.yaml_source import Document, Path

_MOST_CIRCLES = 5
_LONGEST_CIRCLE = 8


def broken_links(document: Document, outline: Outline) -> Iterator[Flaw]:
    """Find the names that lead nowhere, to themselves, or to something of the wrong sort."""
    for name in outline.services:
        yield from _waiting(document, outline, name)
        yield from _mounted(document, outline, name)
    yield from _circles(document, outline)
    yield from _resources(document, outline)
    for path, hook in hooks(document):
        if isinstance(hook.get("service"), str):
            yield from unknown(document, (*path, "service"), outline.services, "service")


def unknown(document: Document, path: Path, known: Iterable[str], noun: str, *, key: bool = False) -> Iterator[Flaw]:
    """The flaw of a name, the value of a path or its key, that leads nowhere."""
    name, names = path[-1] if key else document.written[path], list(known)
    if name not in names:
        fix = suggest(name, names) if names else f"this file has no {noun}s"
        yield document.flaw(path, f"there is no {noun} `{show(name)}`, named{where(path[:-1])}", fix, key=key)


def _waiting(document: Document, outline: Outline, name: str) -> Iterator[Flaw]:
    seen: set[str] = set()
    for path, wanted in entries(("services", name, "depends_on"), outline.services[name].get("depends_on")):
        if wanted in seen:
            yield document.flaw(path, f"`{show(wanted)}`{where(path[:-1])} stands there twice", "remove one of them")
        elif wanted == name:
            yield document.flaw(path, f"service `{show(name)}` depends on itself", "remove it")
        elif wanted not in outline.services and wanted in outline.resources:
            fix = "remove it: resources are ready before any service is started"
            yield document.flaw(path, f"`{show(wanted)}`{where(path[:-1])} is a resource", fix)
        elif wanted in outline.services and (kind := outline.kind(wanted)) and not kind.stays:
            fix = "remove it, or run its command as the `release` hook"
            yield document.flaw(path, f"nothing can wait for `{show(wanted)}`: a {kind} is never healthy", fix)
        else:
            yield from unknown(document, path, (each for each in outline.services if each != name), "other service")
        seen.add(wanted)


def _mounted(document: Document, outline: Outline, name: str) -> Iterator[Flaw]:
    taken: dict[object, str] = {}
    for volume, target in mapping(outline.services[name], "volumes").items():
        path: Path = ("services", name, "volumes", volume)
        if isinstance(target, str) and target in taken:
            problem = f"`{show(volume)}` is mounted where `{show(taken[target])}` is{where(path[:-1])}"
            yield document.flaw(path, problem, "choose another path")
        taken.setdefault(str(target), volume)
        kind = outline.resources.get(volume)
        if volume not in outline.resources:
            volumes = [each for each, kind in outline.resources.items() if kind == ResourceType.VOLUME]
            fix = suggest(volume, volumes, f"write `{show(volume)}: volume` below `resources`")
            yield document.flaw(path, f"there is no resource `{show(volume)}`, named{where(path[:-1])}", fix, key=True)
        elif kind not in {ResourceType.VOLUME, None}:
            problem = f"resource `{show(volume)}` is of the type {kind}, and only a volume can be mounted"
            yield document.flaw(path, problem, "name a resource of the type volume", key=True)


def _resources(document: Document, outline: Outline) -> Iterator[Flaw]:
    for name, kind in outline.resources.items():
        path: Path = ("resources", name)
        if name in outline.services:
            problem = f"`{show(name)}` is both a service and a resource"
            yield document.flaw(path, problem, "rename one: both are hosts on the same network", key=True)
        version = (*path, "version")
        if kind in UNVERSIONED and version in document.places:
            problem = f"{subject(version)} cannot be chosen: a {kind} has none"
            yield document.flaw(version, problem, "leave it out", key=True)
        if kind == ResourceType.VOLUME and (*path, "size") in document.places:
            yield sized_volume(document, (*path, "size"))


def sized_volume(document: Document, path: Path) -> Flaw:
    """The flaw of a volume that is given a size: those are of CPU and memory, and a folder has neither."""
    problem = (
        f"{subject(path)} cannot be chosen: sizes are of CPU and memory, and how much a volume holds is the operator's"
    )
    return document.flaw(path, problem, "leave it out", key=True)


def _circles(document: Document, outline: Outline) -> Iterator[Flaw]:
    graph = {
        name: [each for _, each in entries((), service.get("depends_on")) if each in outline.services and each != name]
        for name, service in outline.services.items()
    }
    for _ in range(_MOST_CIRCLES):
        circle = _circle(graph)
        if not circle:
            return
        first, second = circle[:2]
        path: Path = ("services", first, "depends_on")
        place = next(place for place, each in entries(path, outline.services[first]["depends_on"]) if each == second)
        named = circle if len(circle) <= _LONGEST_CIRCLE else [*circle[:_LONGEST_CIRCLE], "…", first]
        shown = " → ".join(map(show, named))
        yield document.flaw(place, f"services wait for each other in a circle: {shown}", "remove one of them")
        graph[first] = [each for each in graph[first] if each != second]


def _circle(graph: Mapping[str, list[str]]) -> list[str]:
    """A circle from the service that stands first in the file to itself, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1][:0:-1]
        order = {name: position for position, name in enumerate(graph)}
        first = min(range(len(circle)), key=lambda position: order[circle[position]])
        return [*circle[first:], *circle[: first + 1]]
    return []
