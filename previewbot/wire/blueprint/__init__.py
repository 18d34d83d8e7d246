"""``previewbot.yaml`` to a blueprint, or to all its flaws with their places; its published schema and its reference."""

from previewbot.wire.blueprint.comparison import compared
from previewbot.wire.blueprint.page import page_text
from previewbot.wire.blueprint.reading import from_dockerfile, parse
from previewbot.wire.blueprint.schema import schema, schema_text
from previewbot.wire.blueprint.text import dump, render

__all__ = ["compared", "dump", "from_dockerfile", "page_text", "parse", "render", "schema", "schema_text"]
