"""Names are made from numbers and slugs, read back exactly, and never collide by accident."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from previewbot.core.ids import Key, Survey, digest, host_label, slug

numbers = st.integers(min_value=1, max_value=2**59)


@given(numbers, numbers)
def test_a_key_reads_back_what_it_writes(repository: int, number: int) -> None:
    assert Key.parse(str(Key(repository, number))) == Key(repository, number)
    assert Survey.parse(str(Survey(repository))) == Survey(repository)


@given(st.text())
def test_any_other_text_is_no_key(text: str) -> None:
    key = Key.parse(text)
    assert key is None or str(key) == text


@given(st.text(), st.text())
def test_every_label_is_one_that_dns_takes(app: str, service: str) -> None:
    label = host_label("pr", "42", slug(app), slug(service))
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", label)


def test_long_labels_that_begin_alike_stay_apart() -> None:
    assert host_label("pr-1", "a" * 80 + "b") != host_label("pr-1", "a" * 80 + "c")


def test_where_parts_are_cut_matters_to_a_digest() -> None:
    assert digest("ab", "c") != digest("a", "bc")
