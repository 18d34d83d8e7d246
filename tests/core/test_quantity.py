"""Amounts, brought into the form in which a cluster keeps them; that a real one does is tried there."""

from __future__ import annotations

import pytest

from previewbot.core.quantity import canonical

KEPT = {
    "8192Mi": "8Gi",
    "1.5Gi": "1536Mi",
    "1.1Gi": "1181116006400m",
    "0.5Mi": "512Ki",
    "0.1Ki": "102400m",
    "0.5Ki": "512",
    "1025": "1025",
    "1024": "1024",
    "0Gi": "0",
    "1000m": "1",
    "0.5": "500m",
    ".5": "500m",
    "5.": "5",
    "+5": "5",
    "-1": "-1",
    "2000": "2k",
    "1000k": "1M",
    "1E": "1E",
    "100e1": "1e3",
    "12E6": "12e6",
    "1e-3": "1e-3",
    "0.1n": "1m",
    "1Ei": "1Ei",
    "99999999999999999999": "9223372036854775807",
}


@pytest.mark.parametrize("written", KEPT)
def test_an_amount_is_written_as_it_is_kept(written: str) -> None:
    assert canonical(written) == KEPT[written]
    assert canonical(KEPT[written]) == KEPT[written], "once is enough"


@pytest.mark.parametrize("written", ["", "lots", "8 Gi", "8gi", "1e", "--1", "1.2.3", "0x10", "Gi", "NaN", "9" * 99])
def test_what_is_no_amount_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        canonical(written)
