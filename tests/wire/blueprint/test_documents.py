"""What is written about the blueprint is true: the reference is current, and every example is a blueprint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from previewbot.core.blueprint import Blueprint
from previewbot.wire.blueprint import from_dockerfile, page_text, parse
from previewbot.wire.blueprint.page import SECTIONS
from previewbot.wire.blueprint.schema import schema
from tests.wire.blueprint.stack import made

GUIDE, PAGE, README = Path("deploy/guide.md"), Path("deploy/blueprint.md"), Path("README.md")


def examples(file: Path) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL)


def test_the_reference_is_current() -> None:
    assert PAGE.read_text() == page_text(), "run `make schema`"


def test_the_reference_has_every_mapping_of_the_file() -> None:
    assert {shape.__name__ for shape in SECTIONS} == {"BlueprintShape", *schema()["$defs"]}


@pytest.mark.parametrize(
    ("shape", "key"),
    [pytest.param(shape, key, id=f"{shape.__name__}.{key}") for shape in SECTIONS for key in shape.model_fields],
)
def test_every_example_of_the_reference_is_taken(shape: type[BaseModel], key: str) -> None:
    (shown,) = re.findall(rf"^\| `{key}` \|.*\| `({key}: .*)` \|$", section(shape), re.MULTILINE)
    written: dict[str, Any] = YAML(typ="safe", pure=True).load(shown)
    needed = {
        name: field.examples[0] for name, field in shape.model_fields.items() if field.is_required() and field.examples
    }
    shape.model_validate(needed | written)


def section(shape: type[BaseModel]) -> str:
    return page_text().partition(f"## {SECTIONS[shape]}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("text", [*examples(GUIDE), *examples(README)])
def test_every_example_of_the_guide_is_a_blueprint(text: str) -> None:
    assert made(text).services


def test_the_guide_begins_with_what_a_dockerfile_alone_means() -> None:
    first = parse(examples(GUIDE)[0].encode(), fallback_app="shop")
    assert isinstance(first, Blueprint)
    assert first == from_dockerfile(b"FROM x\n", app="shop")


def test_the_guide_ends_with_a_full_stack() -> None:
    assert len(examples(GUIDE)) == 7
    last = made(examples(GUIDE)[-1])
    assert last.environments["production"].resources["db"].backups == "daily"
