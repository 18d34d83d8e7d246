"""No secret value is shown, in whatever form and in however many pieces it comes."""

from __future__ import annotations

import base64
import html
import json
import re
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.masking import MASK, Mask

SECRET = 'p"a/s+s w\\ö?rd&1'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps({"deep": [SECRET]}, ensure_ascii=False),
        f"postgresql://app:{quote(SECRET, safe='')}@db:5432/app",
        quote(SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%C3%B6", "%c3%b6"),
        json.dumps(SECRET).replace("&", "\\u0026").replace("/", "\\/"),
        html.escape(SECRET),
        repr(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)
def test_a_value_is_hidden_in_every_form_in_which_programs_print_it(form: str) -> None:
    hidden = Mask([SECRET]).hide(f"before {form} after")
    assert MASK in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert not re.search(r"rd(&|%26|\\u0026|&amp;)1|7264", hidden)


@given(st.binary(max_size=5), st.binary(max_size=5), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
def test_a_value_is_hidden_in_base64_wherever_it_begins(before: bytes, after: bytes, encode: object) -> None:
    text = encode(before + SECRET.encode() + after).decode()  # type: ignore[operator]
    hidden = Mask([SECRET]).hide(text)
    assert MASK in hidden
    left = [part for part in hidden.split(MASK) if part]
    # At each end, what is left has too few bits of the value to tell more than one of its bytes.
    assert sum(map(len, left)) <= (len(before) + len(after)) * 4 / 3 + 8


@given(st.lists(st.text(min_size=4, max_size=12), min_size=1, max_size=4), st.data())
def test_pieces_hide_what_the_whole_hides(values: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.one_of(st.sampled_from(values), st.text(max_size=6)), max_size=8))
    whole = "".join(parts)
    mask, shown, rest = Mask(values), "", whole
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        shown += mask.feed(rest[:length])
        rest = rest[length:]
    assert shown + mask.finish() == Mask(values).hide(whole)


def test_of_two_values_the_longer_is_hidden_whole() -> None:
    assert Mask(["token", "tokenlonger"]).hide("tokenlonger token") == f"{MASK} {MASK}"


def test_a_value_of_several_lines_is_hidden_line_by_line() -> None:
    assert Mask(["first line\nsecond line"]).hide("> second line") == f"> {MASK}"


def test_very_short_values_and_none_at_all_hide_nothing() -> None:
    assert Mask(["abc"]).hide("abc") == "abc"
    assert Mask([]).feed("abc") == "abc"


def test_a_value_across_the_place_where_an_endless_line_is_cut_leaves_nothing_of_it() -> None:
    shown = [line for before in range(980, 1020) for line in Mask([SECRET]).lines(["x" * before + SECRET + "y" * 9000])]
    assert all(len(line) <= 1000 for line in shown)
    assert not [line for line in shown if SECRET[:3] in line]


_PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n" * 5
    + "-----END PRIVATE KEY-----\n"
)


@given(
    st.one_of(st.just(_PEM), st.text(min_size=40, max_size=200)),
    st.binary(max_size=80),
    st.sampled_from([(60, "\n"), (64, "\r\n"), (76, "\n"), (76, "\n#12 0.345 ")]),
    st.sampled_from([bytes.hex, lambda raw: base64.b64encode(raw).decode()]),
)
def test_a_value_is_hidden_where_its_encoding_is_broken_into_lines(
    value: str, before: bytes, broken: tuple[int, str], encode: Callable[[bytes], str]
) -> None:
    width, line_break = broken
    encoded = encode(before + value.encode())
    hidden = Mask([value]).hide(line_break.join(textwrap.wrap(encoded, width)))
    left = len(hidden.replace(line_break, ""))
    assert left <= len(before) * 2 + len(MASK) + 8, hidden


def test_lines_of_a_log_are_hidden_together() -> None:
    wrapped = textwrap.wrap(base64.b64encode(_PEM.encode()).decode(), 64)
    assert len(wrapped) > 3
    begin, hidden, end = Mask([_PEM]).lines(["begin", *wrapped, "end"])
    assert (begin, end) == ("begin", "end")
    assert hidden == f"{MASK}g==", "its last digit has but two bits of the value"


@given(st.text(min_size=4, max_size=30), st.data())
def test_pieces_hide_what_the_whole_hides_in_encoded_text_of_several_lines(value: str, data: st.DataObject) -> None:
    encoded = "\n".join(textwrap.wrap(base64.b64encode(b"some=text " * 4 + value.encode() + b" more").decode(), 20))
    parts = [encoded, data.draw(st.sampled_from(["\n", "\r\n", " ", ""])), json.dumps(value), quote(value), encoded]
    whole = "".join(data.draw(st.permutations(parts)))
    mask, shown, rest = Mask([value]), "", whole
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        shown += mask.feed(rest[:length])
        rest = rest[length:]
    assert shown + mask.finish() == Mask([value]).hide(whole)


@pytest.mark.parametrize("value", ["\\" * 60, "%25" * 30, "&amp;" * 30, "+ " * 40])
def test_no_value_makes_a_search_endless(value: str) -> None:
    text = value[:-1] * 50 + json.dumps(value)[:-2] * 50
    assert isinstance(Mask([value]).hide(text), str)
