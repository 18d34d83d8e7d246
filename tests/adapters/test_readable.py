"""What a program said last is read to its end, also from where only the beginning of it comes."""

from __future__ import annotations

import pytest

from previewbot.adapters.readable import whole


@pytest.mark.parametrize(
    ("width", "count"), [(10, 1000), (100, 250), (5_000, 15), (50_000, 1)], ids=["short", "long", "longer", "one"]
)
async def test_of_long_lines_fewer_are_read_so_that_the_last_is_there(width: int, count: int) -> None:
    said = b"".join(b"%d %s\n" % (number, b"x" * width) for number in range(2000))

    async def read(lines: int) -> bytes:
        return b"".join(said.splitlines(keepends=True)[-lines:])[:80_000]

    found = (await whole(read, 1000, limit=80_000)).splitlines()
    assert found[-1] == b"1999 " + b"x" * width
    assert len(found) == count
