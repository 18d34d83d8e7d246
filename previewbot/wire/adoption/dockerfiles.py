"""Repositories that have Dockerfiles and nothing else to say what runs: each is a service."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from previewbot.wire import dockerfile
from previewbot.wire.adoption.draft import CONTEXT, MOST, Draft, Left, Plain, fits, quoted

NAME = "Dockerfile"
DEPTH = 2
"""How far below the root they are looked for."""
DEFAULT_PORT = 8080
_FIRST = ("web", "frontend", "app", "www", "site", "ui", "client")
"""What people call the service that visitors see."""


def adopt(files: Mapping[str, bytes], draft: Draft) -> None:
    """Make a service of each; the one at the root, or the one that is called most like it, has the URL."""
    found = sorted((path for path in files if _folder(path) is not None), key=lambda path: (path.count("/"), path))
    for path in found[MOST:]:
        draft.left.append(Left(path, 0, "its service", f"a blueprint has at most {MOST} of them"))
    for path in found[:MOST]:
        _add(path, dockerfile.exposed_port(files[path]), draft, alone=len(found) == 1)
    ported = [name for name, each in draft.services.items() if "port" in each]
    main = next((name for name in ("web", *_FIRST) if name in ported), next(iter(ported), None))
    for name in ported if len(ported) > 1 else ():
        draft.services[name]["public"] = name == main
    if len(ported) > 1:
        why = "only it has a URL; write `public: true` in others that need one"
        draft.left.append(Left("previewbot.yaml", 0, f"that visitors see {quoted(str(main))}", why))


def differences(files: Mapping[str, bytes], draft: Draft) -> Iterator[Left]:
    """Tell the Dockerfiles that no service builds, and those that one builds and nobody has seen."""
    built = dict.fromkeys(path for each in draft.services.values() if (path := _built(each.get("build"))))
    for path in files:
        if _folder(path) is not None and path not in built:
            yield Left(path, 0, "all of it", "no service builds it")
    for path in built:
        if path not in files and path.count("/") <= DEPTH and path.rpartition("/")[2] == NAME:
            yield Left(path, 0, "what it says", "there is no such file, and previewbot builds with nothing else")


def _built(build: object) -> str | None:
    """The Dockerfile of a build."""
    parts = build if isinstance(build, dict) else {"context": build}
    if not isinstance(folder := parts.get("context"), str):
        return None
    return posixpath.normpath(f"{folder}/{parts.get('dockerfile', NAME)}")


def _folder(path: str) -> str | None:
    """The folder of a Dockerfile; ``None`` for any other file."""
    folder, _, name = path.rpartition("/")
    return (folder or ".") if name == NAME and fits(CONTEXT, folder or ".") else None


def _add(path: str, port: int | None, draft: Draft, *, alone: bool) -> None:
    folder = _folder(path) or "."
    name = draft.called("web" if folder == "." or alone else folder.rpartition("/")[2])
    made: Plain = {"build": folder}
    if port is None and (folder == "." or alone):
        port = DEFAULT_PORT
        draft.left.append(Left(path, 0, "the port of its program", f"it exposes none that is known; {port} is a guess"))
    if port is not None:
        made["port"] = port
    draft.services[name] = made
