"""``deploy/blueprint.md``, the reference of every key, made from the published schema: so none is ever left out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from previewbot.core.references import COMMIT_FIELDS, ENVIRONMENT_FIELDS, RESOURCE_FIELDS, SERVICE_FIELDS
from previewbot.wire.blueprint.schema import schema
from previewbot.wire.blueprint.shape import (
    BlueprintShape,
    EnvironmentShape,
    PreviewsShape,
    ResourceOverrideShape,
    SecretShape,
    ServiceOverrideShape,
)
from previewbot.wire.blueprint.shape_parts import (
    BuildShape,
    HealthShape,
    HookShape,
    HooksShape,
    ResourceShape,
    ServiceShape,
)

SECTIONS: Mapping[type[BaseModel], str] = {
    BlueprintShape: "The file",
    ServiceShape: "`services.NAME`",
    BuildShape: "`services.NAME.build`",
    HealthShape: "`services.NAME.health`",
    ResourceShape: "`resources.NAME`",
    SecretShape: "`secrets.NAME`",
    HooksShape: "`hooks`",
    HookShape: "`hooks.release`, `hooks.destroy`, `resources.NAME.seed`",
    EnvironmentShape: "`environments.NAME`",
    ServiceOverrideShape: "`environments.NAME.services.NAME`",
    ResourceOverrideShape: "`environments.NAME.resources.NAME`",
    PreviewsShape: "`previews`",
}
"""Each mapping of the file by its name there, in the order of the page."""
_OPENING = """\
# The blueprint: every key of `previewbot.yaml`

Made by `make schema` from the models that read the file; `deploy/guide.md` is the way in. Check a file with
`previewbot validate`, see what it becomes, and compare two environments with `previewbot diff A B`.
"""
_REFERENCES = """\
## References

`${…}` stands in the values of `env`, in `command` (of hooks, too) and in build arguments, where neither secrets nor
resources may be named: they would stay in the image. `$${` is a literal `${`. A reference that leads nowhere is a flaw.
"""


def page_text() -> str:
    """The reference as ``deploy/blueprint.md`` holds it."""
    whole = schema()
    said = {BlueprintShape.__name__: whole, **whole["$defs"]}
    sections = [_section(title, shape, said[shape.__name__]) for shape, title in SECTIONS.items()]
    return "\n".join([_OPENING, *sections, _REFERENCES, _table(("Reference", "What it is"), _references())])


def _section(title: str, shape: type[BaseModel], said: Mapping[str, Any]) -> str:
    rows = []
    for key, field in shape.model_fields.items():
        meaning = said["properties"][key]["description"]
        default = "needed" if field.is_required() else _default(said["properties"][key])
        example = _flow({key: (field.examples or [])[0]})[1:-1]
        rows.append((f"`{key}`", meaning, default, f"`{example}`"))
    return f"## {title}\n\n{said['description']}\n\n" + _table(("Key", "Meaning", "Default", "Example"), rows)


def _default(said: Mapping[str, Any]) -> str:
    default = said.get("default")
    return f"`{_flow(default)}`" if default not in (None, [], {}) else "none"


def _flow(value: object) -> str:
    """A value as YAML on one line."""
    out = io.StringIO()
    writer = YAML()
    writer.default_flow_style = True
    writer.width = 4096
    writer.dump(value, out)
    return out.getvalue().removesuffix("...\n").strip()


def _references() -> Iterable[tuple[str, str]]:
    for kind, fields in RESOURCE_FIELDS.items():
        if fields:
            yield f"`${{resources.NAME.…}}` {kind}", ", ".join(f"`{field}`" for field in fields)
    url, public_url = SERVICE_FIELDS
    yield f"`${{services.NAME.{url}}}`", "where the services of the same environment reach it; it needs a `port`"
    yield f"`${{services.NAME.{public_url}}}`", "where the world reaches it; it must be public"
    yield "`${environment.…}`", ", ".join(f"`{field}`" for field in ENVIRONMENT_FIELDS)
    yield "`${commit.…}`", ", ".join(f"`{field}`" for field in COMMIT_FIELDS)
    yield "`${secrets.NAME}`", "the value of a secret; in `env`, naming it is enough to get it"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
