"""One service of ``compose.yaml``, key by key; a key that has no place in a blueprint is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from previewbot.wire.adoption import compose_values as values
from previewbot.wire.adoption import draft as checks
from previewbot.wire.adoption import interpolation, secrecy
from previewbot.wire.adoption.draft import Draft, Plain, fits, quoted
from previewbot.wire.adoption.node import Node
from previewbot.wire.adoption.variables import Sight, Variables, take_all

_OPERATOR = "the operator decides that, for all previews"
_NEVER = "no preview may have it"
_OWN = "previewbot does that by itself"
WHY = {
    "restart": _OWN, "container_name": _OWN, "hostname": _OWN, "networks": "each environment has a network of its own",
    "labels": _OWN, "annotations": _OWN, "logging": _OPERATOR, "init": _OWN, "platform": _OPERATOR,
    "privileged": _NEVER, "cap_add": _NEVER, "cap_drop": "all are dropped anyway", "devices": _NEVER,
    "security_opt": _NEVER, "network_mode": _NEVER, "pid": _NEVER, "ipc": _NEVER, "userns_mode": _NEVER,
    "sysctls": _NEVER, "ulimits": _OPERATOR, "cpus": _OPERATOR, "mem_limit": _OPERATOR, "shm_size": _OPERATOR,
    "env_file": "no such file is read, for it may hold secrets; write its variables in `env` or `secrets`",
    "entrypoint": "a blueprint replaces the command of an image, and never its entry point",
    "working_dir": "set it in the Dockerfile", "user": "set it in the Dockerfile",
    "tty": "nobody types there", "stdin_open": "nobody types there",
    "extra_hosts": "a service reaches its siblings by their names, and the internet",
    "dns": _OPERATOR, "links": "every service reaches its siblings by their names", "tmpfs": _OPERATOR,
    "secrets": "files of secrets have no form here; use `secrets`, which are variables",
    "configs": "put the file into the image", "develop": "a preview runs what was committed",
    "extends": "other files are not read; write out what it takes from there",
    "profiles": "a blueprint has no profiles, so it always runs; make it `kind: job` if it should not",
    "stop_grace_period": _OPERATOR, "stop_signal": "set it in the Dockerfile", "pull_policy": _OWN,
}  # fmt: skip
NO_FORM = "a blueprint has nothing like it"
_CARRIED = frozenset({
    "build", "image", "command", "ports", "expose", "environment", "depends_on", "volumes", "deploy", "scale",
    "healthcheck",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """What one service is read beside: old names to new ones, and what values lead to."""

    draft: Draft
    sight: Sight
    volumes: Mapping[str, str]
    once: frozenset[str]
    """The services that others wait for until they are over, by old names."""


def origin(node: Node) -> Plain | None:
    """How its image comes to be; ``None`` where it cannot be said."""
    build, image = node.get("build"), node.get("image")
    if build is not None:
        return _build(build)
    name = None if image is None else values.plain(image)
    return {"image": name} if name and fits(checks.IMAGE, name) else None


def _build(node: Node) -> Plain | None:
    parts = {"context": node} if not node.is_mapping else node.pairs()
    made: Plain = {}
    for key, kind in (("context", checks.CONTEXT), ("dockerfile", checks.DOCKERFILE), ("target", checks.STAGE)):
        if key in parts and not parts[key].is_null:
            text = values.plain(parts[key])
            if text is None or not fits(kind, text):
                return None
            made[key] = kind.validate_python(text)
    made.setdefault("context", ".")
    return {"build": made["context"]} if made.keys() == {"context"} else {"build": made}


def carry(node: Node, name: str, scope: Scope) -> Plain:
    """Read all of it; ``name`` is its new one."""
    own = Variables(scope.draft, name)
    made = dict(origin(node) or {})
    is_once = str(node.path[-1]) in scope.once
    if is_once:
        made["kind"] = "job"
    _arguments(node, made, own)
    _command(node, made, own)
    if not is_once:
        _ports(node, made, own)
        _health(node, made, own)
        _replicas(node, made, own)
    _mounts(node, made, own, scope)
    take_all(values.mapping(node.get("environment")), own, scope.sight, node)
    for key, each in node.pairs().items():
        is_foreign = key not in _CARRIED and not key.startswith("x-")
        unfit = is_once and key in ("ports", "expose", "healthcheck", "scale")
        if (is_foreign or unfit) and not each.is_null:
            own.leave(each, quoted(key), WHY.get(key, NO_FORM) if is_foreign else "a job has none")
    if node.get("build") and node.get("image"):
        own.leave(node.pairs()["image"], "`image`", "previewbot names the images that it builds")
    return made | own.made()


def _arguments(node: Node, made: Plain, own: Variables) -> None:
    build = node.get("build")
    if build is None or not build.is_mapping:
        return
    arguments: dict[str, str] = {}
    for name, each, text in values.mapping(build.get("args")):
        value = interpolation.UNKNOWN if text is None else interpolation.known(interpolation.split(text))
        if interpolation.UNKNOWN in value:
            own.leave(each, f"the build argument {quoted(name)}", "its value is not in this file")
        elif secrecy.is_secret(name, value):
            own.leave(each, f"the build argument {quoted(name)}", "it looks like a secret, and would stay in the image")
        elif not checks.is_variable_name(name) or len(arguments) >= checks.MOST_ARGUMENTS:
            own.leave(each, f"the build argument {quoted(name)}", "a blueprint cannot have it")
        else:
            arguments[name] = interpolation.escape(value)
    if arguments:
        written = made["build"]
        made["build"] = (written if isinstance(written, dict) else {"context": written}) | {"args": arguments}
    for key, each in build.pairs().items():
        if key not in ("context", "dockerfile", "target", "args") and not key.startswith("x-") and not each.is_null:
            own.leave(each, f"`build`: {quoted(key)}", NO_FORM)


def _command(node: Node, made: Plain, own: Variables) -> None:
    command = node.get("command")
    given = values.words(command) if command is not None else ()
    if command is None or not given:
        return
    parts = [interpolation.split(each) for each in given]
    written = [interpolation.as_blueprint(each) for each in parts]
    if node.get("entrypoint"):
        own.leave(command, "`command`", "it belongs to an entry point that is not carried over")
    elif secrecy.in_command([interpolation.known(each) for each in parts]):
        own.leave(command, "`command`", "it looks as if a secret were in it; name it as `${secrets.NAME}`")
    elif None in written or len(written) > checks.MOST_WORDS:
        own.leave(command, "`command`", "it is made of variables in a way that has no form here, or too long")
    else:
        made["command"] = written
        for name in dict.fromkeys(name for each in parts for name in interpolation.unset(each)):
            own.draft.secrets.setdefault(name, {})
            own.leave(command, f"the value of {quoted(name)}", "it is not in this file; somebody sets it as a secret")


def main_port(node: Node) -> int | None:
    """The port that its siblings most likely call."""
    listed = (*node.entries("ports"), *node.entries("expose"))
    return next((port for each in listed if (port := values.port(each))), None)


def _ports(node: Node, made: Plain, own: Variables) -> None:
    port = main_port(node)
    published, exposed = node.entries("ports"), node.entries("expose")
    for each in (*published, *exposed):
        found = values.port(each)
        if found is None:
            own.leave(each, "a port", "it is not TCP, or no port that is known here")
        elif found != port:
            own.leave(each, f"the port {found}", f"a service has one port, and {port} was taken")
    if port is not None:
        made |= {"port": port, "public": any(values.port(each) == port for each in published)}


def _health(node: Node, made: Plain, own: Variables) -> None:
    check = node.get("healthcheck")
    test = check.get("test") if check is not None else None
    if check is None:
        return
    for key, each in check.pairs().items():
        if key != "test" and not each.is_null:
            own.leave(each, f"`healthcheck`: {quoted(key)}", "previewbot asks in its own rhythm; see `health: timeout`")
    if test is None:
        return
    words = tuple(each.text for each in test.items()) if test.is_list else ("CMD-SHELL", test.text)
    words = tuple(interpolation.known(interpolation.split(each)) for each in words)
    if words[:1] not in (("CMD",), ("CMD-SHELL",)) or not words[1:]:
        own.leave(test, "`healthcheck`", "it is none")
    elif interpolation.UNKNOWN in "".join(words) or secrecy.in_command(words) or len(words) > checks.MOST_WORDS:
        own.leave(test, "`healthcheck`", "it has a variable or a secret in it")
    elif (asked := values.probe(words)) and _asks(asked, made):
        made["health"] = asked[1]
    else:
        made["health"] = {"command": list(words[1:]) if words[0] == "CMD" else ["sh", "-c", words[1]]}


def _asks(asked: tuple[int | None, str], made: Plain) -> bool:
    """Whether a health check asks the service's own port for something that can be asked for."""
    return (asked[0] or 80) == made.get("port") and fits(checks.HTTP_PATH, asked[1])


def _replicas(node: Node, made: Plain, own: Variables) -> None:
    deploy = node.get("deploy")
    found = node.get("scale")
    for key, each in deploy.pairs().items() if deploy is not None else ():
        if key == "replicas":
            found = each
        else:
            own.leave(each, f"`deploy`: {quoted(key)}", _OPERATOR)
    if found is None or found.is_null:
        return
    number = values.plain(found)
    if number and number.isascii() and number.isdigit() and 1 <= int(number[:4]) <= checks.MOST_REPLICAS:
        made["replicas"] = int(number)
    else:
        own.leave(found, "the number of replicas", f"it can be 1 to {checks.MOST_REPLICAS}")


def _mounts(node: Node, made: Plain, own: Variables, scope: Scope) -> None:
    mounted: dict[str, str] = {}
    for each in node.entries("volumes"):
        found = values.mount(each)
        name = scope.volumes.get(found.volume or "")
        if name is None:
            own.leave(each, "a mount", "only volumes with names are mounted; files belong into the image")
        elif not fits(checks.MOUNT, found.target) or name in mounted or found.target in mounted.values():
            own.leave(each, f"a mount of {quoted(name)}", "a blueprint cannot mount it there, or mounts it already")
        else:
            mounted[name] = found.target
            if found.read_only:
                own.leave(each, f"that {quoted(name)} is read-only", "every mount can be written to")
    if mounted:
        made["volumes"] = mounted
