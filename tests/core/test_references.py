"""Any text at all is parts or a fault, and what is no reference is passed on as it was written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.blueprint import ResourceType, Service
from previewbot.core.references import (
    RESOURCE_FIELDS,
    Fault,
    Reference,
    parse,
    references,
    resources,
    resources_of,
    secrets,
    secrets_of,
    split,
)
from previewbot.core.resources import KITS

texts = st.text() | st.lists(st.sampled_from(["$", "{", "}", "${", "$${", "a", ".", "a.b", "-", " ", "é"])).map("".join)


def _filled(text: str, lookup: Callable[[Reference], str]) -> str:
    return "".join(part if isinstance(part, str) else lookup(part) for part in split(text))


def test_a_text_is_literal_parts_and_references() -> None:
    assert parse("postgres://${resources.db.host}:5432/${resources.my-db.name}?x=$1") == (
        "postgres://",
        Reference(("resources", "db", "host"), 11, 31),
        ":5432/",
        Reference(("resources", "my-db", "name"), 37, 60),
        "?x=$1",
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("$${HOME}", ("${HOME}",)),
        ("$$${a.b}", ("$${a.b}",)),
        ("a$b$$c{d}", ("a$b$$c{d}",)),
        ("${a}${b}", (Reference(("a",), 0, 4), Reference(("b",), 4, 8))),
        ("$${${a}}", ("${", Reference(("a",), 3, 7), "}")),
    ],
)
def test_only_a_dollar_with_a_brace_is_special(text: str, parts: tuple[object, ...]) -> None:
    assert parse(text) == parts


@pytest.mark.parametrize(
    ("text", "offset", "problem", "fix"),
    [
        ("a ${b", 2, "`${` is not closed", "close it with `}`, or write `$${` for a literal `${`"),
        ("${ a.b }", 0, "`${ a.b }` has spaces in it", "did you mean `${a.b}`?"),
        (
            "x${HOME:-/root}",
            1,
            "`${HOME:-/root}` is not a reference",
            "write it like `${resources.db.url}`, or `$${HOME:-/root}` for the text itself",
        ),
        (
            "${}",
            0,
            "`${}` is not a reference",
            "write it like `${resources.db.url}`, or `$${}` for the text itself",
        ),
        (
            "${a..b}",
            0,
            "`${a..b}` is not a reference",
            "write it like `${resources.db.url}`, or `$${a..b}` for the text itself",
        ),
        (
            "${ä.b}",
            0,
            "`${ä.b}` is not a reference",
            "write it like `${resources.db.url}`, or `$${ä.b}` for the text itself",
        ),
    ],
)
def test_a_fault_says_where_what_and_how_to_mend_it(text: str, offset: int, problem: str, fix: str) -> None:
    assert parse(text) == Fault(offset, problem, fix)


@given(texts)
def test_any_text_parses_or_has_a_fault_where_a_reference_opens(text: str) -> None:
    found = parse(text)
    if isinstance(found, Fault):
        assert text.startswith("${", found.offset)
        assert found.fix
        assert "\n" not in found.problem + found.fix
        return
    for part in found:
        assert part if isinstance(part, str) else text[part.start : part.end] == str(part)


@given(texts)
def test_a_text_without_an_opening_is_itself(text: str) -> None:
    text = text.replace("${", "")
    if "${" not in text:
        assert parse(text) == ((text,) if text else ())


@given(texts)
def test_any_text_can_be_written_as_a_literal(text: str) -> None:
    assert _filled(text.replace("${", "$${"), str) == text


@given(st.lists(texts | st.tuples(st.sampled_from(["secrets.A", "resources.db.url"]))))
def test_what_was_joined_is_split_again(made: list[str | tuple[str]]) -> None:
    """But for a ``$`` right before a reference: together they are the escape."""
    written, expected = "", ""
    for each in made:
        text = each.replace("$", "") if isinstance(each, str) else f"${{{each[0]}}}"
        written += text
        expected += text if isinstance(each, str) else f"<{each[0]}>"
    assert _filled(written, lambda reference: f"<{'.'.join(reference.path)}>") == expected


def test_a_value_is_never_read_for_references_itself() -> None:
    assert _filled("a ${secrets.A} b", lambda _: "${secrets.B} $${") == "a ${secrets.B} $${ b"


def test_a_text_with_a_fault_is_not_substituted() -> None:
    with pytest.raises(ValueError, match="not closed"):
        _filled("${", str)


def test_which_secrets_and_resources_texts_name() -> None:
    named = (
        "${secrets.B} ${resources.db.url}",
        "${secrets.A}${secrets.B} $${secrets.C}",
        "${resources.x.y}",
        "${",
        "${secrets}",
    )
    assert secrets(*named) == ("B", "A")
    assert resources(*named) == ("db", "x")
    assert len(references(*named)) == 6


def test_which_secrets_and_resources_a_service_needs() -> None:
    service = Service(
        "web",
        env={"A": "${secrets.FROM_ENV}", "B": "${resources.db.url}"},
        command=("run", "${secrets.FROM_COMMAND}", "${secrets.LISTED}"),
        secrets=("LISTED",),
        volumes={"uploads": "/var/uploads"},
    )
    assert secrets_of(service) == ("LISTED", "FROM_ENV", "FROM_COMMAND")
    assert resources_of(service) == ("db", "uploads")


def test_every_type_of_resource_tells_what_it_can_be_asked_for() -> None:
    assert set(RESOURCE_FIELDS) == set(ResourceType)


def test_what_a_server_can_be_asked_for_is_what_its_kit_knows() -> None:
    assert {type_: set(kit.facts) for type_, kit in KITS.items()} == {
        type_: set(fields) for type_, fields in RESOURCE_FIELDS.items() if type_ in KITS
    }
    assert set(KITS) == set(ResourceType) - {ResourceType.VOLUME}
