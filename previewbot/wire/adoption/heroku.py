"""A Procfile and ``app.json``: process types become services, add-ons resources, and scripts hooks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from previewbot.core.blueprint import Flaw, ResourceType
from previewbot.wire.adoption import interpolation, secrecy
from previewbot.wire.adoption.draft import (
    MOST,
    MOST_REPLICAS,
    MOST_WORDS,
    TIMETABLE,
    VERSION,
    Draft,
    Left,
    Misshapen,
    Plain,
    fits,
    quoted,
)
from previewbot.wire.adoption.node import Node
from previewbot.wire.adoption.variables import Variables
from previewbot.wire.blueprint.texts import is_variable
from previewbot.wire.dockerfile import exposed_port
from previewbot.wire.yaml_source import SIZE_LIMIT

PROCFILE, APP = "Procfile", "app.json"
_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(\S.*?)\s*", re.ASCII)
_SHELL = re.compile(r"[$`|&;<>()*?\[\]#~!{}\\]|^\w+=")
_LENGTH = 32
_PORT = 8080
_ADDONS = {
    "heroku-postgresql": (ResourceType.POSTGRES, "DATABASE_URL"),
    "heroku-redis": (ResourceType.REDIS, "REDIS_URL"),
    "heroku-key-value-store": (ResourceType.REDIS, "REDIS_URL"),
    "rediscloud": (ResourceType.REDIS, "REDISCLOUD_URL"),
    "redistogo": (ResourceType.REDIS, "REDISTOGO_URL"),
    "jawsdb": (ResourceType.MYSQL, "JAWSDB_URL"),
    "cleardb": (ResourceType.MYSQL, "CLEARDB_DATABASE_URL"),
    "cloudamqp": (ResourceType.RABBITMQ, "CLOUDAMQP_URL"),
}
_NAMES = {ResourceType.POSTGRES: "db", ResourceType.MYSQL: "mysql", ResourceType.REDIS: "cache"}
_WHY = {
    "scripts": "it has no place in a blueprint",
    "buildpacks": "previewbot builds with Dockerfiles alone",
    "stack": "previewbot builds with Dockerfiles alone",
    "image": "previewbot builds with Dockerfiles alone",
    "environments": "a preview differs from production in declared parameters alone; see `environments`",
}
_TALK = "it tells people something, and runs nothing"


def adopt(files: Mapping[str, bytes], app: Node | None, draft: Draft) -> None:
    """Read both; either may be missing."""
    commands = _processes(files.get(PROCFILE, b""), draft)
    release = commands.pop("release", None)
    for name, (line, command) in list(commands.items())[:MOST]:
        _service(name, line, command, draft)
    for name, (line, _) in list(commands.items())[MOST:]:
        draft.left.append(Left(PROCFILE, line, f"service {quoted(name)}", f"a blueprint has at most {MOST} of them"))
    if not draft.services:
        draft.services["web"] = {"build": ".", "port": exposed_port(files.get("Dockerfile", b"")) or _PORT}
    for each in app.entries("cron") if app is not None else ():
        _cron(each, draft)
    own = {name: Variables(draft, name) for name in draft.services}
    if app is not None:
        _app(app, own, draft)
    for name, variables in own.items():
        draft.services[name] |= variables.made()
    if release:
        _hook("release", PROCFILE, *release, draft)


def _processes(raw: bytes, draft: Draft) -> dict[str, tuple[int, str]]:
    if len(raw) > SIZE_LIMIT:
        problem = f"the file is larger than {SIZE_LIMIT // 1024} KiB"
        raise Misshapen(Flaw(PROCFILE, 1, 1, problem, "make it smaller"))
    found: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not match[2].isprintable():
            raise Misshapen(Flaw(PROCFILE, number, 1, "this is not `name: command`", "mend the line"))
        if match[1] in found:
            draft.left.append(Left(PROCFILE, number, f"a second {quoted(match[1])}", "the first one was taken"))
        found.setdefault(match[1], (number, match[2]))
    return found


def _service(old: str, line: int, command: str, draft: Draft) -> None:
    name = draft.called(old)
    made: Plain = {"build": "."}
    if old == "web":
        made |= {"port": _PORT}
    draft.services[name] = made
    words = shell(command)
    if secrecy.in_command([command]) or words is None:
        why = "it looks as if a secret were in it; name it as `${secrets.NAME}`"
        draft.left.append(Left(PROCFILE, line, f"the command of {quoted(name)}", why))
    else:
        made["command"] = words
    if name != old:
        draft.left.append(Left(PROCFILE, line, f"the name {quoted(old)}", f"it is {quoted(name)} here"))


def _cron(node: Node, draft: Draft) -> None:
    """One command with its timetable, in UTC as there."""
    given = node.pairs() if node.is_mapping else {}
    command, schedule = (given[key].text if key in given else "" for key in ("command", "schedule"))
    words = shell(command) if command and not secrecy.in_command([command]) else None
    if words is None or not fits(TIMETABLE, schedule) or len(draft.services) >= MOST:
        draft.left.append(Left(APP, node.line, "an entry of `cron`", "write it as a service with a `schedule`"))
        return
    made: Plain = {"kind": "cron", "build": ".", "command": words, "schedule": schedule}
    draft.services[draft.called("cron")] = made


def shell(command: str) -> list[str] | None:
    """A command that a shell would run, as words for a blueprint: through a shell where it needs one."""
    if not _SHELL.search(command):
        try:
            words = shlex.split(command)
        except ValueError:
            return ["sh", "-c", interpolation.escape(command)]
        return words if 0 < len(words) <= MOST_WORDS else None
    return ["sh", "-c", interpolation.escape(command)]


def _hook(point: str, file: str, line: int, command: str, draft: Draft) -> None:  # noqa: PLR0917
    words = shell(command)
    if secrecy.in_command([command]) or words is None:
        why = "it looks as if a secret were in it; name it as `${secrets.NAME}`"
        draft.left.append(Left(file, line, f"the command of the hook {quoted(point)}", why))
    else:
        draft.hooks[point] = {"service": _main(draft), "command": words}


def _main(draft: Draft) -> str:
    return "web" if "web" in draft.services else next(iter(draft.services))


def _app(app: Node, own: Mapping[str, Variables], draft: Draft) -> None:
    for addon in app.entries("addons"):
        _addon(addon, own, draft)
    variables = app.get("env")
    for name, each in variables.pairs().items() if variables is not None else ():
        _variable(name, each, own, draft)
    _scripts(app, draft)
    formation = app.get("formation")
    for name, each in formation.pairs().items() if formation is not None else ():
        _formation(name, each, draft)
    for key, each in app.pairs().items():
        if key not in ("addons", "env", "scripts", "formation", "cron", "$schema") and not each.is_null:
            draft.left.append(Left(APP, each.line, quoted(key), _WHY.get(key, _TALK)))


def _addon(addon: Node, own: Mapping[str, Variables], draft: Draft) -> None:
    given = addon.pairs() if addon.is_mapping else {"plan": addon}
    plan = given["plan"].text if "plan" in given else ""
    kind, name = _ADDONS.get(plan.partition(":")[0]), plan.partition(":")[0]
    if kind is None or len(draft.resources) >= MOST:
        draft.left.append(Left(APP, addon.line, f"the add-on {quoted(name)}", "no resource is like it"))
        return
    resource = draft.called(_NAMES.get(kind[0], "queue"))
    draft.resources[resource] = {"type": str(kind[0])}
    options = given.get("options")
    version = options.get("version") if options is not None else None
    if version is not None and fits(VERSION, version.text):
        draft.resources[resource]["version"] = version.text
    called = given.get("as")
    variable = f"{called.text.upper()}_URL" if called is not None else kind[1]
    for each in own.values():
        each.refer(variable, f"${{resources.{resource}.url}}", addon)
    if ":" in plan:
        draft.left.append(Left(APP, addon.line, f"the plan of {quoted(name)}", "sizes are the operator's; see `size`"))


def _variable(name: str, node: Node, own: Mapping[str, Variables], draft: Draft) -> None:
    said = node.pairs() if node.is_mapping else {"value": node}
    value, generator, required = said.get("value"), said.get("generator"), said.get("required")
    if generator is not None and not generator.is_null and generator.text == "secret":
        if is_variable(name):
            draft.secrets[name] = {"generate": _LENGTH}
        for each in own.values():
            each.generated(name, node)
    elif value is not None and not value.is_null:
        for each in own.values():
            each.literal(name, value.text, node)
    elif required is not None and required.text == "false":
        draft.left.append(Left(APP, node.line, f"the variable {quoted(name)}", "it has no value and needs none"))
    else:
        for each in own.values():
            each.secret(name, node)


def _scripts(app: Node, draft: Draft) -> None:
    scripts = app.get("scripts")
    for name, each in scripts.pairs().items() if scripts is not None else ():
        stores = [one for one in draft.resources.values() if one["type"] in ("postgres", "mysql")]
        if name == "pr-predestroy":
            _hook("destroy", APP, each.line, each.text, draft)
        elif name == "postdeploy" and stores and not secrecy.in_command([each.text]) and (words := shell(each.text)):
            stores[0]["seed"] = {"service": _main(draft), "command": words}
        else:
            draft.left.append(Left(APP, each.line, f"the script {quoted(name)}", _WHY["scripts"]))


def _formation(name: str, node: Node, draft: Draft) -> None:
    for key, each in node.pairs().items():
        number = each.text if key == "quantity" else ""
        if name in draft.services and number.isascii() and number.isdigit() and 1 <= int(number[:4]) <= MOST_REPLICAS:
            draft.services[name]["replicas"] = int(number)
        else:
            draft.left.append(Left(APP, each.line, f"{quoted(key)} of {quoted(name)}", "the operator decides that"))
