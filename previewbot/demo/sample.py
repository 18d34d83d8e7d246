"""The sample app of the demo, in ``shop/``: a web page that names its commit, and an API that only the page reaches."""

from __future__ import annotations

from pathlib import Path

from previewbot.demo.base_image import NAME

GREETING = "web/greeting.txt"
"""The file that a push changes."""

_SHOP = Path(__file__).with_name("shop")


def files(base: str = NAME) -> dict[str, str]:
    """The app's repository: path to content; ``!x`` at the end of a path makes it executable.

    ``base`` is the image that its own ones start from.
    """
    return {
        f"{each.relative_to(_SHOP)}{'!x' if each.parent.name == 'cgi-bin' else ''}": each.read_text().replace(
            NAME, base
        )
        for each in sorted(_SHOP.rglob("*"))
        if each.is_file()
    }
