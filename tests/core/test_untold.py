"""What programs of many languages say of a variable that they lack, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.model import Untold
from previewbot.core.secrets import Seal, SecretName
from previewbot.core.untold import untold
from tests.fixtures.engine import SERVE, service

WEB = replace(service("web", SERVE, 8080), env={"PREVIEWBOT_URL": "x", "PORT": "8080", "LOG_LEVEL": "debug"})


@pytest.mark.parametrize(
    "line",
    [
        "KeyError: 'STRIPE_KEY'",
        'index.rb:1:in `fetch\': key not found: "STRIPE_KEY" (KeyError)',
        "Error: STRIPE_KEY is not defined",
        "Error: Missing required environment variable STRIPE_KEY",
        "Error: missing environment variable: STRIPE_KEY",
        "Missing STRIPE_KEY!",
        "/app/start.sh: line 3: STRIPE_KEY: unbound variable",
        "sh: 1: STRIPE_KEY: parameter not set",
        "sh: STRIPE_KEY: parameter null or not set",
        "panic: STRIPE_KEY environment variable is not set",
        "2026/01/01 00:00:00 $STRIPE_KEY must be set",
        "thread 'main' panicked: STRIPE_KEY must be set: NotPresent",
        "django.core.exceptions.ImproperlyConfigured: Set the STRIPE_KEY environment variable",
        "java.lang.IllegalArgumentException: Could not resolve placeholder 'STRIPE_KEY' in value \"${STRIPE_KEY}\"",
        "Error: Environment variable not found: STRIPE_KEY.",
        "error: Environment variable STRIPE_KEY is empty",
        "STRIPE_KEY is required",
        "Please provide STRIPE_KEY",
        "fatal: `STRIPE_KEY` has not been set",
        "STRIPE_KEY cannot be empty",
        "STRIPE_KEY isn't set",
        "config: STRIPE_KEY missing",
    ],
)
def test_a_lacking_variable_is_read_out_of_what_a_program_says(line: str) -> None:
    assert untold(["first", f"  {line}"], WEB) == Untold(("STRIPE_KEY",), ("LOG_LEVEL",))


@pytest.mark.parametrize(
    "line",
    [
        'ERROR: relation "users" does not exist',
        "Error: connect ECONNREFUSED 127.0.0.1:5432",
        "code: 'ER_NO_SUCH_TABLE'",
        "KeyError: 'user'",
        "INFO server is set up",
        "TypeError: FOO.bar is not a function",
        "STRIPE_KEY=sk_live is fine",
        "STRIPE_KEY is set",
        "MODULE_NOT_FOUND",
        "LOG_LEVEL is not set to debug",
        "HTTP is required",
        "",
    ],
)
def test_what_only_looks_like_it_is_let_be(line: str) -> None:
    assert untold([line], WEB) is None


def test_what_the_service_is_given_is_not_lacking_also_as_a_secret() -> None:
    spec = replace(WEB, sealed={"STRIPE_KEY": (Seal(SecretName("web", "STRIPE_KEY"), "1", own=False),)})
    assert untold(["KeyError: 'STRIPE_KEY'"], spec) is None
    assert untold(["KeyError: 'TOKEN'"], spec) == Untold(("TOKEN",), ("LOG_LEVEL", "STRIPE_KEY"))


def test_each_name_is_told_once_and_of_many_a_few() -> None:
    lines = [f"Missing {name}_KEY" for name in ("A", "B", "A", "C", "D")]
    found = untold(lines, WEB)
    assert found
    assert found.names == ("A_KEY", "B_KEY", "C_KEY")


@given(st.lists(st.text(alphabet="KEY_ERRORsetmissing:'\"${}() ", max_size=500), max_size=20))
def test_any_output_at_all_is_read(lines: list[str]) -> None:
    found = untold(lines, WEB)
    assert found is None or not set(found.names) & WEB.env.keys()
