"""The variables of one service: what may be copied, what leads to something else, and what becomes a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from previewbot.wire.adoption import interpolation, secrecy, servers
from previewbot.wire.adoption.draft import MOST_ARGUMENTS, MOST_VARIABLES, Draft, Left, Plain, quoted
from previewbot.wire.adoption.interpolation import UNKNOWN, Part
from previewbot.wire.adoption.node import Node
from previewbot.wire.adoption.servers import Known
from previewbot.wire.blueprint.texts import is_variable

_UNSET = "its value is not in this file; somebody sets it as a secret"
_SECRET = "its value looks like a secret and was not copied; somebody sets it as one, and it is better replaced"  # noqa: S105  # nosec B105


@dataclass(slots=True)
class Variables:
    """Those of one service, as they come to be."""

    draft: Draft
    service: str
    env: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    def leave(self, node: Node, what: str, why: str) -> None:
        """Note what is not carried over."""
        self.draft.left.append(Left(node.file, node.line, f"{what} of service {quoted(self.service)}", why))

    def refer(self, name: str, text: str, node: Node) -> None:
        """Take a text with references, in the blueprint's own grammar."""
        if self._may(name, node, len(self.env), MOST_VARIABLES):
            self.env[name] = text

    def secret(self, name: str, node: Node, why: str = _UNSET) -> None:
        """Take a variable whose value somebody sets in the store."""
        if self._may(name, node, len(self.secrets), MOST_ARGUMENTS):
            self.secrets.append(name)
            self.leave(node, f"the value of {quoted(name)}", why)

    def generated(self, name: str, node: Node) -> None:
        """Take a variable whose value is made for each environment."""
        if self._may(name, node, len(self.secrets), MOST_ARGUMENTS):
            self.secrets.append(name)

    def literal(self, name: str, text: str, node: Node) -> None:
        """Take a value as it is, unless it looks like a secret."""
        if secrecy.is_secret(name, text):
            self.secret(name, node, _SECRET)
        else:
            self.refer(name, interpolation.escape(text), node)

    def made(self) -> Plain:
        """What stands in the service."""
        return {key: value for key, value in (("env", self.env), ("secrets", self.secrets)) if value}

    def _may(self, name: str, node: Node, number: int, most: int) -> bool:
        if not is_variable(name):
            self.leave(node, f"the variable {quoted(name)}", "a blueprint cannot have one of that name")
        elif name in self.env or name in self.secrets:
            self.leave(node, f"the variable {quoted(name)}", "it stands there twice, and the first one was taken")
        elif number >= most:
            self.leave(node, f"the variable {quoted(name)}", f"a service cannot have more than {most}")
        else:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Sight:
    """What the values of a compose file can lead to: its servers, and its services with their ports, by old names."""

    servers: Mapping[str, Known]
    services: Mapping[str, tuple[str, int | None]]


def take_all(given: Iterable[tuple[str, Node | None, str | None]], own: Variables, sight: Sight, at: Node) -> None:
    """Take variables of a compose file: name, place, and the value as it is written (``None``: from the shell)."""
    every = list(given)
    near = _near((interpolation.known(interpolation.split(text or "")) for _, _, text in every), sight)
    for name, node, written in every:
        place = node or at
        if written is None:
            own.secret(name, place)
        else:
            _take(name, written, own, near, sight=sight, node=place)


def _near(texts: Iterable[str], sight: Sight) -> list[Known]:
    """The servers that any of a service's variables leads to."""
    found = (servers.led_to(text, sight.servers) for text in texts)
    return list({each.resource: each for each in found if each}.values())


def _take(name: str, written: str, own: Variables, near: list[Known], *, sight: Sight, node: Node) -> None:
    parts = interpolation.split(written)
    text = interpolation.known(parts)
    made = servers.refer(name, text, sight.servers) or servers.told(name, written, near)
    if made is not None:
        own.refer(name, made, node)
    elif (server := servers.led_to(text, sight.servers)) and _leads(name, text):
        why = f"it leads to {quoted(server.resource)} in a way that no reference has"
        own.leave(node, f"the variable {quoted(name)}", why)
    elif parts == (interpolation.Variable(name, None),):
        own.secret(name, node)
    elif secrecy.is_secret(name, text.replace(UNKNOWN, "")):
        own.secret(name, node, _SECRET)
    else:
        _write(name, parts, own, sight=sight, node=node)


def _leads(name: str, text: str) -> bool:
    return "://" in text or ":" in text or "host" in name.lower()


def _write(name: str, parts: tuple[Part, ...], own: Variables, *, sight: Sight, node: Node) -> None:
    text = interpolation.as_blueprint(parts)
    if text is None:
        own.leave(node, f"the variable {quoted(name)}", "its value is made of variables in a way that has no form here")
        return
    own.refer(name, _inside(text, sight), node)
    for each in interpolation.unset(parts) if name in own.env else ():
        own.leave(node, f"the value of {quoted(each)}", _UNSET)


def _inside(text: str, sight: Sight) -> str:
    """Write the URL of a sibling as a reference to it."""
    for host, (called, port) in sight.services.items():
        url = f"http://{host}:{port}"
        if port is not None and (text == url or text.startswith(f"{url}/")):
            return f"${{services.{called}.url}}{text.removeprefix(url)}"
    return text
