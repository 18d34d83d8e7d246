"""A command stands alone on the first line; near misses are answered, other bots' commands are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.model import Command
from previewbot.wire import commands
from previewbot.wire.commands import Said


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/redeploy", Command.REDEPLOY),
        ("/redeploy  \r\nplease", Command.REDEPLOY),
        ("  /help", Command.HELP),
        ("/redeploy now", Command.UNKNOWN),
        ("/Redeploy", Command.UNKNOWN),
        ("/redploy", Command.UNKNOWN),
        ("/re-deploy", Command.UNKNOWN),
        ("/previewbot status", Command.UNKNOWN),
        ("/lgtm", None),
        ("/deploy", None),
        ("/un", None),
        ("/ruin", None),
        ("/retest", None),
        ("/cc @someone", None),
        ("please /redeploy", None),
        ("hello\n/redeploy", None),
        ("> /redeploy", None),
        ("", None),
        ("/", None),
        ("/" + "redeploy" * 1000, None),
    ],
)
def test_the_grammar(body: str, command: Command | None) -> None:
    said = commands.read(body)
    assert (said and said.command) == command


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("/run restock", Said(Command.RUN, "restock")),
        ("/run  restock \nplease", Said(Command.RUN, "restock")),
        ("/run", Said(Command.UNKNOWN)),
        ("/run restock now", Said(Command.UNKNOWN)),
        ("/run " + "x" * 41, Said(Command.UNKNOWN)),
        ("/runs restock", None),
    ],
)
def test_a_job_stands_behind_its_command(body: str, said: Said | None) -> None:
    assert commands.read(body) == said


@given(st.text())
def test_any_text_at_all_can_be_read(body: str) -> None:
    commands.read(body)


def test_every_command_stands_in_the_table() -> None:
    assert {Command(name.split()[0]) for name, _ in commands.TABLE} == set(Command) - {Command.UNKNOWN}
