"""``render.yaml``: services of every type, databases, key value stores, disks and variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from previewbot.wire.adoption import draft as checks
from previewbot.wire.adoption.draft import Draft, Left, Plain, fits, quoted
from previewbot.wire.adoption.heroku import shell
from previewbot.wire.adoption.node import Node
from previewbot.wire.adoption.secrecy import in_command, looks
from previewbot.wire.adoption.variables import Variables
from previewbot.wire.blueprint.texts import is_variable

FILE = "render.yaml"
_PORT, _LENGTH = 10000, 32
_STORES = ("redis", "keyvalue")
_KINDS = {"web": None, "pserv": None, "worker": "worker", "cron": "cron"}
_FIELDS = {"connectionString": "url", "database": "name"} | {
    each: each for each in ("host", "port", "user", "password")
}
_OPERATOR = "the operator decides that"
_WHY = {
    "plan": "sizes are the operator's; see `size`", "region": _OPERATOR, "autoDeploy": _OPERATOR,
    "branch": "every pull request has a preview; see `previews`", "repo": "one blueprint is for one repository",
    "buildCommand": "previewbot builds with a Dockerfile; put it there",
    "domains": "a host name belongs to one environment; see `environments`",
    "scaling": "a service has a number of replicas, and it stays", "previews": "every pull request has a preview",
    "rootDir": "the Dockerfile and its context were taken as if it were the root; see `build`",
}  # fmt: skip
_CARRIED = frozenset({
    "type", "name", "runtime", "env", "dockerfilePath", "dockerContext", "dockerCommand", "startCommand", "image",
    "healthCheckPath", "envVars", "numInstances", "schedule", "disk", "preDeployCommand",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scope:
    draft: Draft
    services: Mapping[str, tuple[str, int | None]]
    stores: Mapping[str, str]
    groups: Mapping[str, Node]


def adopt(root: Node, draft: Draft) -> None:
    """Read all of it."""
    every = {_name(each): each for each in root.entries("services")}
    stores = {name: each for name, each in every.items() if _type(each) in _STORES}
    databases = {_name(each): each for each in root.entries("databases")}
    apps: dict[str, tuple[str, int | None]] = {}
    for name, each in every.items():
        if name not in stores and _is_carried(each, draft):
            apps[name] = (draft.called(name), _port(each))
            draft.services[apps[name][0]] = {}
    called = {}
    for name, each in (*stores.items(), *databases.items()):
        if len(draft.resources) < checks.MOST:
            called[name] = _resource(name, each, draft)
    groups = {_name(each): each for each in root.entries("envVarGroups")}
    scope = _Scope(draft, apps, called, groups)
    for name, (new, _) in apps.items():
        draft.services[new] = _service(every[name], new, scope)
        if new != name:
            _leave(every[name], f"the name {quoted(name)}", f"it is {quoted(new)} here, also as host", draft)
    for key, each in root.pairs().items():
        if key not in ("services", "databases", "envVarGroups") and not each.is_null:
            _leave(each, quoted(key), _WHY.get(key, "a blueprint has nothing like it"), draft)


def _leave(node: Node, what: str, why: str, draft: Draft) -> None:
    draft.left.append(Left(FILE, node.line, what, why))


def _name(node: Node) -> str:
    found = node.get("name")
    if found is None:
        node.wrong("something with a `name`")
    return found.text


def _type(node: Node) -> str:
    found = node.get("type")
    return found.text if found is not None else ""


def _runtime(node: Node) -> str:
    found = node.get("runtime") or node.get("env")
    return found.text if found is not None else ""


def _is_carried(node: Node, draft: Draft) -> bool:
    kind = _type(node)
    if kind not in _KINDS or _runtime(node) == "static":
        why = "put what serves its files into an image" if "static" in (kind, _runtime(node)) else "it has no form here"
    elif len(draft.services) >= checks.MOST:
        why = f"a blueprint has at most {checks.MOST} of them"
    else:
        return True
    _leave(node, f"service {quoted(_name(node))}", why, draft)
    return False


def _port(node: Node) -> int | None:
    if _KINDS[_type(node)] is not None:
        return None
    said = next((each.get("value") for each in node.entries("envVars") if _key(each) == "PORT"), None)
    text = said.text if said is not None else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 2**16 else _PORT


def _key(node: Node) -> str:
    found = node.get("key")
    return found.text if found is not None else ""


def _resource(old: str, node: Node, draft: Draft) -> str:
    name = draft.called(old)
    is_store = _type(node) in _STORES
    draft.resources[name] = {"type": "redis" if is_store else "postgres"}
    version = node.get("postgresMajorVersion")
    if version is not None and fits(checks.VERSION, version.text):
        draft.resources[name]["version"] = version.text
    for key, each in node.pairs().items():
        if key not in ("type", "name", "postgresMajorVersion") and not each.is_null:
            _leave(each, f"{quoted(key)} of resource {quoted(name)}", _WHY.get(key, "previewbot decides that"), draft)
    return name


def _service(node: Node, name: str, scope: _Scope) -> Plain:
    own = Variables(scope.draft, name)
    kind = _KINDS[_type(node)]
    made: Plain = _image(node, own)
    if kind is None:
        made |= {"port": _port(node), "public": _type(node) == "web"}
    _timetable(node, kind, made, own)
    command = node.get("dockerCommand") or node.get("startCommand")
    if command is not None and (words := _words(command, own)):
        made["command"] = words
    health = node.get("healthCheckPath")
    if health is not None and kind is None and fits(checks.HTTP_PATH, health.text) and not looks(health.text):
        made["health"] = health.text
    elif health is not None:
        own.leave(health, "`healthCheckPath`", "nothing can be asked for it")
    _number(node, made, own, stays=kind != "cron")
    _disk(node, made, own)
    _before(node, name, own)
    for each in node.entries("envVars"):
        _variable(each, own, scope)
    for key, each in node.pairs().items():
        if key not in _CARRIED and not each.is_null:
            own.leave(each, quoted(key), _WHY.get(key, "a blueprint has nothing like it"))
    return made | own.made()


def _image(node: Node, own: Variables) -> Plain:
    image = node.get("image")
    url = image.get("url") if image is not None and image.is_mapping else None
    if url is not None and fits(checks.IMAGE, url.text):
        return {"image": url.text}
    if _runtime(node) != "docker":
        why = "previewbot builds with Dockerfiles alone; write one"
        own.leave(node, f"the runtime {quoted(_runtime(node))}", why)
        return {"build": "."}
    context, file = node.get("dockerContext"), node.get("dockerfilePath")
    folder = _path(context.text) if context is not None else "."
    path = _path(file.text) if file is not None else "Dockerfile"
    inside = path.removeprefix(f"{folder}/") if folder != "." else path
    if not fits(checks.CONTEXT, folder) or not fits(checks.DOCKERFILE, inside) or (folder != "." and inside == path):
        own.leave(node, "where it is built", "its Dockerfile is not inside its context")
        return {"build": "."}
    return {"build": folder if inside == "Dockerfile" else {"context": folder, "dockerfile": inside}}


def _path(text: str) -> str:
    return "/".join(each for each in text.split("/") if each not in ("", ".")) or "."


def _timetable(node: Node, kind: str | None, made: Plain, own: Variables) -> None:
    schedule = node.get("schedule")
    if kind == "worker":
        made["kind"] = kind
    if kind != "cron":
        return
    if schedule is not None and fits(checks.TIMETABLE, schedule.text):
        made |= {"kind": "cron", "schedule": schedule.text}
    else:
        made["kind"] = "job"
        own.leave(schedule or node, "its schedule", "it is none that a blueprint can have; it is a job now")


def _words(node: Node, own: Variables) -> list[str] | None:
    words = shell(node.text)
    if words is None or in_command([node.text]):
        own.leave(node, "the command", "it looks as if a secret were in it; name it as `${secrets.NAME}`")
        return None
    return words


def _number(node: Node, made: Plain, own: Variables, *, stays: bool) -> None:
    number = node.get("numInstances")
    if number is None:
        return
    if stays and number.text.isascii() and number.text.isdigit() and 1 <= int(number.text[:4]) <= checks.MOST_REPLICAS:
        made["replicas"] = int(number.text)
    else:
        own.leave(number, "the number of instances", f"it can be 1 to {checks.MOST_REPLICAS} of what stays")


def _disk(node: Node, made: Plain, own: Variables) -> None:
    disk = node.get("disk")
    if disk is None:
        return
    path = disk.get("mountPath")
    if path is None or not fits(checks.MOUNT, path.text) or len(own.draft.resources) >= checks.MOST:
        own.leave(disk, "its disk", "it cannot be mounted there")
        return
    name = own.draft.called(_name(disk) if disk.get("name") is not None else "disk")
    own.draft.resources[name] = {"type": "volume"}
    made["volumes"] = {name: path.text}
    if (size := disk.get("sizeGB")) is not None:
        own.leave(size, "the size of its disk", _OPERATOR)


def _before(node: Node, name: str, own: Variables) -> None:
    command = node.get("preDeployCommand")
    words = _words(command, own) if command is not None else None
    if command is None or words is None:
        return
    if "release" in own.draft.hooks:
        own.leave(command, "`preDeployCommand`", "only one command can run before a release, and another one does")
    else:
        own.draft.hooks["release"] = {"service": name, "command": words}


def _variable(node: Node, own: Variables, scope: _Scope) -> None:
    group = node.get("fromGroup")
    if group is None:
        _single(node, own, scope)
        return
    found = scope.groups.get(group.text)
    for each in found.entries("envVars") if found is not None else ():
        if each.get("fromGroup") is None:
            _single(each, own, scope)
    if found is None:
        own.leave(node, f"the group {quoted(group.text)}", "it is not in this file")


def _single(node: Node, own: Variables, scope: _Scope) -> None:
    name, value, made = _key(node), node.get("value"), node.get("generateValue")
    if made is not None and made.text == "true":
        if is_variable(name):
            scope.draft.secrets[name] = {"generate": _LENGTH}
        own.generated(name, node)
    elif value is not None:
        if name != "PORT":  # every service with a port has it anyway
            own.literal(name, value.text, node)
    elif (text := _from(node, scope)) is not None:
        own.refer(name, text, node)
    elif node.get("fromDatabase") or node.get("fromService"):
        own.leave(node, f"the variable {quoted(name)}", "what it is taken from has no form here")
    else:
        own.secret(name, node)


def _from(node: Node, scope: _Scope) -> str | None:
    source = node.get("fromDatabase") or node.get("fromService")
    if source is None:
        return None
    name, asked = source.get("name"), source.get("property")
    old, what = name.text if name is not None else "", asked.text if asked is not None else ""
    if old in scope.stores:
        resource = f"resources.{scope.stores[old]}"
        if what == "hostport":
            return f"${{{resource}.host}}:${{{resource}.port}}"
        return f"${{{resource}.{_FIELDS[what]}}}" if what in _FIELDS else None
    new, port = scope.services.get(old, ("", None))
    known = {"host": new, "port": str(port), "hostport": f"{new}:{port}"}
    return known.get(what) if new and (port is not None or what == "host") else None
