"""The page that newcomers read first tells of what is there."""

import re
from pathlib import Path

import previewbot


def test_every_file_that_the_package_names_is_there() -> None:
    assert previewbot.__doc__
    root = Path(previewbot.__file__).parent
    named = set(re.findall(r"(?<![\w.])((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)", previewbot.__doc__))
    assert {"core/", "wire/events.py", "app.py"} <= named
    assert not [each for each in named if not any((root.parent / base / each).exists() for base in ("previewbot", ""))]


def test_every_part_of_the_package_is_named() -> None:
    parts = {each.name for each in Path(previewbot.__file__).parent.iterdir() if not each.name.startswith("_")}
    told = previewbot.__doc__ or ""
    modules = {each for each in parts if each.endswith(".py")} | {f"{each}/" for each in parts if "." not in each}
    assert not [each for each in modules if each not in told]
