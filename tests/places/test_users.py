"""As whom programs run in a cluster: as their image says, where that is a number and not root."""

from __future__ import annotations

import pytest

from previewbot.places.kubernetes import Users


@pytest.mark.parametrize(
    ("said", "user"),
    [("1000", None), ("1000:0", None), ("0", 10001), ("root", 10001), ("node", 10001), ("", 10001), (None, 10001)],
)
@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_number_is_kept_and_all_else_is_the_operators_user(
    *, said: str | None, user: int | None, is_ours: bool
) -> None:
    async def knows(_image: str) -> str | None:
        return said

    async def knows_nothing(_image: str) -> str | None:
        return None

    asked = (knows, knows_nothing) if is_ours else (knows_nothing, knows)
    assert await Users(asked, 10001).find("redis:7") == user
