"""The doctor knows a certificate that previews cannot use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from previewbot.cli.certificate import judge
from tests.fixtures.certificates import issue

GOOD = issue("*.preview.test").chain


@pytest.mark.parametrize(
    ("chain", "good", "told"),
    [
        (GOOD, True, "for *.preview.test, until 2"),
        (issue("*.preview.test", days=-2).chain, False, "for *.preview.test; it holds from 2"),
        (issue("preview.test").chain, False, "it is for preview.test, and previews are *.preview.test"),
        ("nonsense", False, "it names no host"),
        ("", False, "it names no host"),
    ],
)
def test_a_certificate_has_to_be_for_every_host_below_the_domain_and_now(chain: str, *, good: bool, told: str) -> None:
    found, detail = judge(chain, "preview.test", datetime.now(UTC))
    assert (found, detail[: len(told)]) == (good, told)
