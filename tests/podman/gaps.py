"""What does not work on Podman: a plugin for pytest. Each is tried, and has to fail."""

from __future__ import annotations

import pytest

GAPS = {
    "test_of_many_long_lines_the_last_is_heard": "a line that is longer than its log's own is given back in pieces",
    "test_a_service_reaches_a_resource_that_it_needs_by_its_name": "the tests' busybox crashes on its DNS",
    "test_a_step_reads_a_secret_that_is_neither_in_the_log_nor_in_the_record": "its API for Docker has no BuildKit",
}
"""Tests by name, and why they fail there."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect of what is known to be lacking that it still is: who mends it, or gets a newer Podman, hears of it."""
    for item in items:
        if why := GAPS.get(item.name.partition("[")[0]):
            item.add_marker(pytest.mark.xfail(reason=why, strict=True))
