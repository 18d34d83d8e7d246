"""References in the texts of a blueprint: each must lead to something that is there and may stand where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from previewbot.core.blueprint import Flaw
from previewbot.core.references import (
    COMMIT_FIELDS,
    ENVIRONMENT_FIELDS,
    RESOURCE_FIELDS,
    SCOPES,
    SERVICE_FIELDS,
    Fault,
    Part,
    Reference,
    parse,
)
from previewbot.wire.blueprint.outline import Outline, entries, hooks, mapping
from previewbot.wire.blueprint.texts import is_variable, split_words
from previewbot.wire.blueprint.wording import show, suggest, where
from previewbot.wire.yaml_source import Document, Path

_NONE = "add it to `resources`"
_Wrong = tuple[str, str] | None
"""The problem and its mending, or nothing."""


def broken_references(document: Document, outline: Outline) -> Iterator[Flaw]:
    """Find them in ``env``, ``command`` and build arguments, at their own line and column."""
    for path in _texts(document, outline):
        text = document.written[path]
        found = list(_wrongs(parse(text), path, outline))
        for offset, problem, fix in found:
            place = document.place_of(path, "${", text.count("${", 0, offset))
            yield Flaw(document.file, *place, problem, fix)
        if path[-1] == "command" and not found:
            yield from _unquoted(document, path, outline)


def _unquoted(document: Document, path: Path, outline: Outline) -> Iterator[Flaw]:
    """What begins a reference only once a command is split into words: a backslash may stand before its brace."""
    try:
        words = split_words(document.written[path])
    except ValueError:  # told where the shape is checked
        return
    for word in words:
        for _, problem, fix in _wrongs(parse(word), path, outline):
            yield document.flaw(path, problem, fix)


def _wrongs(found: tuple[Part, ...] | Fault, path: Path, outline: Outline) -> Iterator[tuple[int, str, str]]:
    if isinstance(found, Fault):
        yield found.offset, found.problem, found.fix
        return
    for part in found:
        if isinstance(part, Reference) and (wrong := _wrong(part, path, outline)):
            yield part.start, f"`{show(part)}`{where(path[:-1])} {wrong[0]}", wrong[1]


def _texts(document: Document, outline: Outline) -> Iterator[Path]:
    """The paths of all scalars that may hold references."""
    for name, service in outline.services.items():
        path: Path = ("services", name)
        yield from _scalars(document, (*path, "env"), service)
        yield from _command(document, path, service.get("command"))
        yield from _scalars(document, (*path, "build", "args"), mapping(service, "build"))
    for path, hook in hooks(document):
        yield from _command(document, path, hook.get("command"))


def _scalars(document: Document, path: Path, above: object) -> Iterator[Path]:
    for key in mapping(above, str(path[-1])):
        if (*path, key) in document.written:
            yield (*path, key)


def _command(document: Document, path: Path, command: object) -> Iterator[Path]:
    whole = (*path, "command")
    if whole in document.written:
        yield whole
    for entry, _ in entries(whole, command):
        yield entry


def _wrong(reference: Reference, path: Path, outline: Outline) -> _Wrong:
    match reference.path:
        case ("resources" | "secrets" as scope, *_) if path[2:4] == ("build", "args"):
            fix = "read it when the program runs"
            if scope == "secrets":
                fix += ", or name it in the build's `secrets` for a `RUN --mount=type=secret`"
            return f"would stay in the image, and {scope} are each environment's own", fix
        case ("resources", name, field):
            return _resource(name, field, outline)
        case ("services", name, field):
            return _service(name, field, outline)
        case ("environment", field):
            return _field(field, ENVIRONMENT_FIELDS, "an environment")
        case ("commit", field):
            return _field(field, COMMIT_FIELDS, "a commit")
        case ("secrets", name):
            return _secret(name, path, outline)
        case (scope, *_):
            return _shapeless(scope)
        case _:
            return None


def _shapeless(scope: str) -> _Wrong:
    forms = {
        "resources": "`${resources.NAME.url}`",
        "services": "`${services.NAME.url}`",
        "environment": "`${environment.name}`",
        "commit": "`${commit.sha}`",
        "secrets": "`${secrets.NAME}`",
    }
    if form := forms.get(scope):
        return "names too little or too much", f"write {form}"
    fix = f"begin it with {', '.join(SCOPES)}, or write `$${{` for a literal `${{`"
    return "leads nowhere", suggest(scope, SCOPES, fix)


def _resource(name: str, field: str, outline: Outline) -> _Wrong:
    if name not in outline.resources:
        is_service = name in outline.services
        fix = f"write `${{services.{show(name)}.url}}`" if is_service else suggest(name, outline.resources, _NONE)
        return f"names no resource: there is no `{show(name)}`", fix
    kind = outline.resources[name]
    if kind is None or field in RESOURCE_FIELDS[kind]:
        return None
    if not RESOURCE_FIELDS[kind]:
        return f"cannot be asked for: a {kind} has no fields", "mount it with `volumes`"
    return _field(field, RESOURCE_FIELDS[kind], f"a resource of the type {kind}")


def _service(name: str, field: str, outline: Outline) -> _Wrong:
    if name not in outline.services:
        is_resource = name in outline.resources
        fix = f"write `${{resources.{show(name)}.url}}`" if is_resource else suggest(name, outline.services)
        return f"names no service: there is no `{show(name)}`", fix
    if field not in SERVICE_FIELDS:
        return _field(field, SERVICE_FIELDS, "a service")
    if outline.services[name].get("port") is None:
        return f"leads nowhere: service `{show(name)}` has no port", "give it a `port`"
    if field == "public_url" and not outline.is_public(name):
        fix = f"write `public: true` in service `{show(name)}`, or ask for its `url`"
        return f"leads nowhere: service `{show(name)}` is not public", fix
    return None


def _secret(name: str, path: Path, outline: Outline) -> _Wrong:
    if not is_variable(name):
        return "cannot be the name of a secret", "use letters, digits and `_`, and no `PREVIEWBOT_` at the beginning"
    if path[2:3] == ("env",) or name in outline.secrets:
        return None
    fix = f"add `{show(name)}` to `secrets`"
    return f"names no secret of this file: there is no `{show(name)}`", suggest(name, outline.secrets, fix)


def _field(field: str, known: tuple[str, ...], owner: str) -> _Wrong:
    if field in known:
        return None
    return f"asks for `{show(field)}`, which {owner} has not", suggest(field, known)
