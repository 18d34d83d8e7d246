"""What the documents tell people to write can be written."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from previewbot.__main__ import cli
from previewbot.wire import commands

DOCUMENTS = sorted(
    each
    for pattern in ("*.md", "deploy/**/*.md", "config/previewbot.yaml")
    for each in Path().glob(pattern)
    if each.name != "CHANGELOG.md"
)
USAGE: type[Exception] = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError")
_SPAN = re.compile(r"`(previewbot [a-z][^`]*)`|^(?: {4}|\$ )(previewbot [a-z][^`\n|#]*)$", re.MULTILINE)
_MAKE = re.compile(r"`(?:make ([a-z][a-z-]*)[^`]*)`|^ *make ([a-z][a-z-]*)", re.MULTILINE)


def told() -> list[tuple[str, str]]:
    """Every command line of previewbot in the documents, with the document that it stands in."""
    found = []
    for document in DOCUMENTS:
        for match in _SPAN.finditer(document.read_text("utf-8")):
            line = " ".join((match[1] or match[2]).split())
            # What a person fills in, and a choice between words, of which the first is tried.
            found.append((str(document), re.sub(r"(\w+)\|[\w|]+", r"\1", line).replace("…", "")))
    return sorted(set(found))


def parse(words: list[str]) -> None:
    """Read a command line as previewbot does, without running it; raises ``typer.BadParameter`` or a kin of it."""
    command = typer.main.get_command(cli)
    context = typer.Context(command, info_name="previewbot")
    while isinstance(command, TyperGroup) and words:
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        if isinstance(found, TyperGroup):
            context = typer.Context(found, info_name=name, parent=context)
        else:
            found.make_context(name, words, parent=context)
        command = found


def test_there_are_command_lines_to_look_at() -> None:
    assert len({line.split()[1] for _, line in told()}) > 8


@pytest.mark.parametrize(("document", "line"), told())
def test_every_command_line_in_the_documents_is_one_of_previewbots(document: str, line: str) -> None:
    words = shlex.split(line)[1:]
    try:
        parse(words)
    except USAGE as error:
        # `previewbot run` alone names the command itself.
        if len(words) > 2 or not str(error).startswith("Missing"):
            pytest.fail(f"{document}: `{line}`: {error}")


@pytest.mark.parametrize("line", ["gives every", "serve --port 1", "secrets sett shop NAME", "diff staging"])
def test_a_command_line_that_is_none_is_found(line: str) -> None:
    with pytest.raises(USAGE):
        parse(line.split())


def test_every_make_target_in_the_documents_is_there() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", Path("Makefile").read_text("utf-8"), re.MULTILINE))
    named = {match[1] or match[2] for each in DOCUMENTS for match in _MAKE.finditer(each.read_text("utf-8"))}
    assert {"demo", "test", "clean"} <= named <= targets


def test_make_lists_every_target_that_people_are_told_of() -> None:
    done = subprocess.run(["make", "help"], capture_output=True, check=True, text=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    named = {match[1] or match[2] for each in DOCUMENTS for match in _MAKE.finditer(each.read_text("utf-8"))}
    assert named <= listed


def test_the_readme_tells_every_command_of_comments_and_no_other() -> None:
    rows = re.findall(r"^\| `/([a-z]+)[^`]*` \|", Path("README.md").read_text("utf-8"), re.MULTILINE)
    assert rows == [name.split()[0] for name, _ in commands.TABLE]
