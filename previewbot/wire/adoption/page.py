"""The finished file: the blueprint, and below it, as comments, what could not be carried over."""

from __future__ import annotations

from collections.abc import Iterator

from previewbot.core import references
from previewbot.wire.adoption.draft import Draft, Left, Plain, quoted
from previewbot.wire.blueprint import dump

_MOST_COMMENTS = 200
_HEAD = "# Made by `previewbot init`. Read it through, then: previewbot validate\n"


def write(draft: Draft) -> str:
    """Write all of it."""
    parts: Plain = {"version": 1, "services": draft.services}
    for name, part in (("resources", draft.resources), ("secrets", draft.secrets), ("hooks", draft.hooks)):
        if part:
            parts[name] = part
    return _HEAD + dump(_in_order(parts)) + _comments(draft.left)


_ORDER = (
    "kind", "build", "image", "command", "port", "public", "health", "schedule", "replicas", "depends_on", "env",
    "secrets", "volumes",
)  # fmt: skip


def _in_order(parts: Plain) -> Plain:
    services = parts["services"]
    if not isinstance(services, dict):
        return parts
    made = {name: {key: each[key] for key in _ORDER if key in each} for name, each in services.items()}
    return parts | {"services": made}


def _comments(left: list[Left]) -> str:
    if not left:
        return ""
    lines = ["", "# Not carried over:", *(f"#   {each}" for each in left[:_MOST_COMMENTS])]
    if len(left) > _MOST_COMMENTS:
        lines.append(f"#   and {len(left) - _MOST_COMMENTS} more, which `previewbot init --stdout` lists")
    return "\n".join((*lines, ""))


def idle(draft: Draft) -> Iterator[Left]:
    """Tell the resources that no service refers to: nobody would find them."""
    used = set(_used(draft))
    for name, each in draft.resources.items():
        if name not in used:
            field = "url" if each["type"] != "volume" else ""
            fix = f"write `${{resources.{name}.{field}}}` in the `env` of what needs it" if field else "mount it"
            yield Left("previewbot.yaml", 0, f"who uses the resource {quoted(name)}", f"no service names it; {fix}")


def _used(draft: Draft) -> Iterator[str]:
    for service in draft.services.values():
        env, volumes, command = (service.get(key) for key in ("env", "volumes", "command"))
        yield from references.resources(*map(str, env.values() if isinstance(env, dict) else ()))
        yield from references.resources(*map(str, command if isinstance(command, list) else ()))
        yield from map(str, volumes if isinstance(volumes, dict) else ())
