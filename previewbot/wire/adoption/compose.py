"""``compose.yaml``: databases, caches and the like become resources, named volumes too, and all else services."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping

from previewbot.core.blueprint import ResourceType
from previewbot.wire.adoption import compose_service as one
from previewbot.wire.adoption import compose_values as values
from previewbot.wire.adoption import servers
from previewbot.wire.adoption.draft import MOST, Draft, Left, quoted
from previewbot.wire.adoption.node import Node
from previewbot.wire.adoption.servers import Known
from previewbot.wire.adoption.variables import Sight

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""Where Compose looks, in its order."""
OVERRIDES = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
)
"""What it lays over that on a developer's machine; a preview is none."""
_MADE = "previewbot makes its own for each environment"
_RUN = "previewbot runs and watches it in its own way"
_WAITING = {"condition": "service_completed_successfully"}


def adopt(root: Node, draft: Draft) -> None:
    """Read all of it."""
    services = root.get("services")
    every = services.pairs() if services is not None else {}
    found = {name: server for name, node in every.items() if (server := _server(node))}
    carried = [name for name, node in every.items() if name not in found and _is_carried(node, draft)]
    called = _called(_few(carried, every, draft), draft)
    known = {name: _resource(every[name], found[name], draft) for name in _few(found, every, draft)}
    once = frozenset(name for node in every.values() for name in _waited(node) if name in called)
    ports = {name: (new, one.main_port(every[name])) for name, new in called.items()}
    volumes = _volumes(root, [every[name] for name in called], draft)
    scope = one.Scope(draft, Sight(known, ports), volumes, once)
    for name, new in called.items():
        draft.services[new] = one.carry(every[name], new, scope)
        if new != name:
            draft.left.append(_left(every[name], f"the name {quoted(name)}", f"it is {quoted(new)} here, also as host"))
    _release(every, called, scope)
    for name, new in called.items():
        _wait(every[name], new, called, scope)
    _break_circles(draft, {new: every[name] for name, new in called.items()})
    _around(root, draft)


def _called(names: list[str], draft: Draft) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        found[name] = draft.called(name)
        draft.services[found[name]] = {}
    return found


def _left(node: Node, what: str, why: str) -> Left:
    return Left(node.file, node.line, what, why)


def _server(node: Node) -> servers.Server | None:
    image = node.get("image")
    text = values.plain(image) if image is not None and node.get("build") is None else None
    return servers.of_image(text) if text else None


def _is_carried(node: Node, draft: Draft) -> bool:
    if one.origin(node) is not None:
        return True
    why = "it has neither a `build` nor an `image` that a blueprint can have"
    draft.left.append(_left(node, f"service {quoted(str(node.path[-1]))}", why))
    return False


def _few(names: Mapping[str, object] | list[str], every: Mapping[str, Node], draft: Draft) -> list[str]:
    """As many as a blueprint can have."""
    for name in list(names)[MOST:]:
        draft.left.append(_left(every[name], f"service {quoted(name)}", f"a blueprint has at most {MOST} of them"))
    return list(names)[:MOST]


def _resource(node: Node, server: servers.Server, draft: Draft) -> Known:
    old = str(node.path[-1])
    name = draft.called(old)
    draft.resources[name] = {"type": str(server.type)}
    if server.version:
        draft.resources[name]["version"] = server.version
    whole = f"resource {quoted(name)}"
    if server.odd:
        draft.left.append(_left(node.pairs()["image"], f"the image of {whole}", server.odd))
    told: dict[str, str] = {}
    asked = ""
    for variable, each, text in values.mapping(node.get("environment")):
        if variable in servers.TOLD and text:
            told.setdefault(servers.TOLD[variable], text)
        asked = (text or "").lower() if variable == "SERVICES" else asked
        why = _MADE if variable in servers.TOLD else _RUN
        draft.left.append(_left(each, f"the variable {quoted(variable)} of {whole}", why))
    for key, each in node.pairs().items():
        if key not in ("image", "environment") and not key.startswith("x-") and not each.is_null:
            draft.left.append(_left(each, f"{quoted(key)} of {whole}", _RUN))
    return _known(name, server, told, asked, draft)


def _known(name: str, server: servers.Server, told: Mapping[str, str], asked: str, draft: Draft) -> Known:  # noqa: PLR0917
    """A cloud on a developer's machine can be files, queues or both."""
    if server.type is ResourceType.STORAGE and "sqs" in asked:
        if "s3" not in asked:
            draft.resources[name] = {"type": str(ResourceType.QUEUE)}
            return Known(name, ResourceType.QUEUE, told)
        queue = draft.called(f"{name}-queue")
        draft.resources[queue] = {"type": str(ResourceType.QUEUE)}
        return Known(name, server.type, told, queue)
    return Known(name, server.type, told)


def _volumes(root: Node, nodes: list[Node], draft: Draft) -> dict[str, str]:
    """Make a resource of each volume that a service mounts by its name; what only servers mount is theirs."""
    listed = root.get("volumes")
    known = listed.pairs() if listed is not None else {}
    mounted = dict.fromkeys(found for node in nodes for each in node.entries("volumes") if (found := _named(each)))
    called: dict[str, str] = {}
    for name in mounted:
        if name in known and len(draft.resources) < MOST:
            called[name] = draft.called(name)
            draft.resources[called[name]] = {"type": str(ResourceType.VOLUME)}
    for name, node in known.items():
        for key, each in node.pairs().items():
            draft.left.append(_left(each, f"{quoted(key)} of the volume {quoted(name)}", "the operator decides that"))
    return called


def _named(node: Node) -> str | None:
    return values.mount(node).volume


def _waited(node: Node) -> Iterator[str]:
    """The services that one waits for until they are over."""
    waits = node.get("depends_on")
    for name, each in waits.pairs().items() if waits is not None and waits.is_mapping else ():
        if each.is_mapping and (how := each.get("condition")) and how.text == _WAITING["condition"]:
            yield name


def _release(every: Mapping[str, Node], called: Mapping[str, str], scope: one.Scope) -> None:
    """Run as the release hook what others wait for until it is over."""
    draft = scope.draft
    for name, new in called.items():
        command = draft.services[new].get("command")
        if name not in scope.once:
            continue
        if command and "release" not in draft.hooks:
            draft.hooks["release"] = {"service": new, "command": command}
        else:
            why = "only one command can run before a release, and its own command must be written; it is a job now"
            draft.left.append(_left(every[name], f"that others wait for {quoted(new)}", why))


def _wait(node: Node, new: str, called: Mapping[str, str], scope: one.Scope) -> None:
    wanted = []
    for name, each in values.names(node.get("depends_on")).items():
        if name in scope.sight.servers or name in scope.once:
            continue  # resources are ready before any service, and the release hook is over
        if name not in called or called[name] == new or new in scope.draft.hooks.get("release", {}).values():
            scope.draft.left.append(_left(each, f"that {quoted(new)} waits for {quoted(name)}", "it has no form here"))
        elif called[name] not in wanted:
            wanted.append(called[name])
    if wanted:
        scope.draft.services[new]["depends_on"] = wanted


def _break_circles(draft: Draft, nodes: Mapping[str, Node]) -> None:
    graph: dict[str, list[str]] = {}
    for name in nodes:
        waits = draft.services[name].get("depends_on")
        graph[name] = list(waits) if isinstance(waits, list) else []
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            waited, waiting = error.args[1][:2]
            graph[waiting].remove(waited)
            draft.services[waiting]["depends_on"] = graph[waiting]
            what = f"that {quoted(waiting)} waits for {quoted(waited)}"
            draft.left.append(_left(nodes[waiting], what, "they wait for each other in a circle"))
        else:
            return


def _around(root: Node, draft: Draft) -> None:
    """Tell what stands beside the services."""
    why = {
        "name": "an app is called like its repository",
        "networks": "each environment has a network of its own",
        "secrets": "files of secrets have no form here; name variables in `secrets`",
        "configs": "put the files into the image",
        "include": "other files are not read",
    }
    for key, each in root.pairs().items():
        if key not in ("services", "volumes", "version") and not key.startswith("x-") and not each.is_null:
            draft.left.append(_left(each, quoted(key), why.get(key, one.NO_FORM)))
