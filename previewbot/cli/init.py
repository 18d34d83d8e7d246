"""``previewbot init``: a first ``previewbot.yaml`` from what a repository already has. Reads files, runs nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from previewbot.cli.console import fail, say

FILE = "previewbot.yaml"
_MOST_FOLDERS = 500
_FOREIGN = frozenset({"node_modules", "vendor", "target", "dist", "venv", "testdata"})


def init(
    folder: Annotated[Path, typer.Argument(help="The root of the repository.")] = Path(),
    to_stdout: Annotated[bool, typer.Option("--stdout", help="Print it, and write no file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a previewbot.yaml that is there.")] = False,
) -> None:
    """Write a first previewbot.yaml from Dockerfiles, Compose, a Procfile, app.json or render.yaml."""
    from previewbot.wire.adoption import Adopted, adopt  # noqa: PLC0415 - `--help` answers at once

    if not folder.is_dir():
        fail(f"{folder} is not a folder.", "There is nothing to read.", "Name the root of a repository.", code=2)
    target = folder / FILE
    if not to_stdout and not force and os.path.lexists(target):
        fail(
            f"{target} already exists.",
            "It was not touched.",
            "Use --stdout to print it, or --force to replace the file.",
            code=2,
        )
    try:
        found = adopt(dict(_files(folder)))
    except OSError as error:
        fail(f"{folder} cannot be read.", str(error.strerror), "Mend that and run it again.", code=2)
    if not isinstance(found, Adopted):
        for flaw in found:
            typer.echo(str(flaw), err=True)
        raise typer.Exit(1)
    if to_stdout:
        say(found.text.rstrip())
    else:
        _write(target, found.text)
        say(f"Wrote {target}. Next: previewbot validate {target}")
    for each in found.left:
        typer.echo(str(each), err=True)


def _write(target: Path, text: str) -> None:
    """Write it whole or not at all; where a link stands, the link is replaced and never what it leads to."""
    made: Path | None = None
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
            made = Path(file.name)
            file.write(text)
        made.chmod(0o644)
        made.replace(target)
    except OSError as error:
        if made:
            made.unlink(missing_ok=True)
        fail(f"{target} cannot be written.", str(error.strerror), "Write --stdout to see it.")


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    from previewbot.wire.adoption import SOURCES  # noqa: PLC0415 - `--help` answers at once

    for name in SOURCES:
        if (folder / name).is_file():
            yield name, _read(folder / name)
    for each in _folders(folder):
        path = each / "Dockerfile"
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), _read(path)


def _folders(root: Path) -> list[Path]:
    """The root and what is near below it: no link is followed, and nobody else's code is looked at."""
    from previewbot.wire.adoption import DEPTH  # noqa: PLC0415 - `--help` answers at once

    found, level = [root], [root]
    for _ in range(DEPTH):
        level = [
            each
            for above in level
            for each in sorted(above.iterdir())
            if each.is_dir() and not each.is_symlink() and not each.name.startswith(".") and each.name not in _FOREIGN
        ][:_MOST_FOLDERS]
        found += level
    return found


def _read(path: Path) -> bytes:
    from previewbot.wire.yaml_source import SIZE_LIMIT  # noqa: PLC0415 - `--help` answers at once

    with path.open("rb") as file:
        return file.read(SIZE_LIMIT + 1)
