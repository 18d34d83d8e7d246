"""``previewbot.yaml`` to a blueprint, or to all its flaws with their places."""

from __future__ import annotations

from itertools import islice

from pydantic import ValidationError

from previewbot.core.blueprint import Blueprint, Build, Flaw, Service
from previewbot.wire import dockerfile
from previewbot.wire.blueprint.contradictions import contradictions
from previewbot.wire.blueprint.environments import misfits
from previewbot.wire.blueprint.flaws import empties, translate
from previewbot.wire.blueprint.links import broken_links
from previewbot.wire.blueprint.outline import outline
from previewbot.wire.blueprint.references import broken_references
from previewbot.wire.blueprint.shape import BlueprintShape
from previewbot.wire.blueprint.translation import to_core
from previewbot.wire.yaml_source import Document, load

_DEFAULT_PORT = 8080
_MOST_FLAWS = 50
"""Nobody reads more than these at once."""


def parse(raw: bytes, *, file: str = "previewbot.yaml", fallback_app: str) -> Blueprint | tuple[Flaw, ...]:
    """Read a blueprint; any bytes at all are one, or a non-empty tuple of flaws in the order of their places.

    ``fallback_app`` is the app's name where the file gives none: a slug.
    """
    document = load(raw, file)
    if not isinstance(document.value, dict):
        return tuple(document.flaws) or (_no_mapping(document),)
    parts = outline(document)
    flaws = [*document.flaws, *empties(document)]
    for find in (contradictions, broken_links, broken_references, misfits):
        flaws += islice(find(document, parts), _MOST_FLAWS)
    try:
        shape = BlueprintShape.model_validate(document.value)
    except ValidationError as error:
        faults = [each for each in error.errors(include_url=False) if each["input"] is not None]
        flaws += [translate(document, each) for each in faults[:_MOST_FLAWS]]
    if flaws:
        return tuple(sorted(set(flaws), key=lambda flaw: (flaw.line, flaw.column, flaw.problem)))[:_MOST_FLAWS]
    return to_core(document, parts, shape, fallback_app=fallback_app)


def _no_mapping(document: Document) -> Flaw:
    problem = "the file is empty" if document.value is None else "the file must be keys and values"
    return document.flaw((), problem, "begin with `version: 1` and `services:`")


def from_dockerfile(raw: bytes, *, app: str) -> Blueprint:
    """Make the blueprint of a repository that has only a ``Dockerfile``: one public service, ``web``.

    Its port is the one exposed, else 8080; like every service's, it stands in its variable ``PORT``.
    """
    port = dockerfile.exposed_port(raw) or _DEFAULT_PORT
    return Blueprint(app, (Service("web", build=Build(), port=port, public=True),))
