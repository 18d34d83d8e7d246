"""All files of a repository to one blueprint: which of them says what runs, and a last look at what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from previewbot.core.blueprint import Blueprint, Flaw
from previewbot.wire.adoption import compose, dockerfiles, heroku, page, render_yaml
from previewbot.wire.adoption.draft import Draft, Left, Misshapen
from previewbot.wire.adoption.node import Node, read
from previewbot.wire.blueprint import parse

SOURCES = (*compose.FILES, *compose.OVERRIDES, render_yaml.FILE, heroku.PROCFILE, heroku.APP)
"""What is looked for at the root of a repository; beside Dockerfiles, which may be further down."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A blueprint as a text that has no flaws, and what could not be carried over."""

    text: str
    left: tuple[Left, ...]


def adopt(files: Mapping[str, bytes]) -> Adopted | tuple[Flaw, ...]:
    """Translate the files of a repository, by their paths; where that cannot be, say why, and never half of it.

    What runs is read from one source: Compose, else Render, else Heroku, else the Dockerfiles themselves.
    """
    draft = Draft()
    try:
        _fill(files, draft)
    except Misshapen as wrong:
        return (wrong.flaw,)
    if not draft.services:
        return (Flaw("the folder", 0, 0, "nothing in it says what runs", _NOTHING),)
    draft.left += page.idle(draft)
    found = _read(draft)
    if isinstance(found, Blueprint):
        return Adopted(page.write(draft), tuple(draft.left))
    return tuple(Flaw("previewbot.yaml", 0, 0, f"the translation is none: {each.problem}", each.fix) for each in found)


_NOTHING = "it needs a Dockerfile, compose.yaml, render.yaml, a Procfile or app.json with something that can run"


def _read(draft: Draft) -> Blueprint | tuple[Flaw, ...]:
    return parse(page.write(draft).encode(), fallback_app="app")


def _fill(files: Mapping[str, bytes], draft: Draft) -> None:
    used = _one_of(files, draft)
    for name in SOURCES:
        if name in files and name not in used:
            draft.left.append(Left(name, 0, "all of it", f"{' and '.join(used)} says what runs"))
    if dockerfiles.NAME not in used:
        draft.left += dockerfiles.differences(files, draft)


def _one_of(files: Mapping[str, bytes], draft: Draft) -> tuple[str, ...]:
    """Read the first source that has a service; the resources of those before it stay."""
    seen: tuple[str, ...] = ()
    for name in (*compose.FILES, render_yaml.FILE):
        if name in files:
            seen = (*seen, name)
            (render_yaml if name == render_yaml.FILE else compose).adopt(_document(files, name), draft)
        if draft.services:
            return seen
    if heroku.PROCFILE in files or heroku.APP in files:
        app = _document(files, heroku.APP) if heroku.APP in files else None
        heroku.adopt(files, app, draft)
        return (*seen, *(each for each in (heroku.PROCFILE, heroku.APP) if each in files))
    dockerfiles.adopt(files, draft)
    return (*seen, dockerfiles.NAME)


def _document(files: Mapping[str, bytes], name: str) -> Node:
    return read(files[name], name)
