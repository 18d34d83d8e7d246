"""Pulling an image that a blueprint names, from a registry that answers as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from previewbot.adapters.docker import images
from previewbot.adapters.docker.engine import Engine
from previewbot.core.errors import Refused, Transient
from tests.fixtures.answering import answering

pytestmark = pytest.mark.engine


@contextmanager
def _registry(status: int) -> Iterator[str]:
    """A registry that knows itself and answers everything else with one status."""
    with answering(lambda path: (200 if path == "/v2/" else status, b"")) as address:
        yield f"{address}/x:1"


async def test_a_registry_that_is_unwell_is_asked_again_later(engine: Engine) -> None:
    with _registry(503) as reference, pytest.raises(Transient, match="cannot be pulled"):
        await images.fetch(engine, reference)
    with pytest.raises(Transient, match="cannot be pulled"):
        await images.fetch(engine, reference)  # nobody listens there any more


async def test_an_image_that_its_registry_does_not_have_is_told(engine: Engine) -> None:
    with _registry(404) as reference, pytest.raises(Refused, match=f"The image `{reference}` cannot be pulled"):
        await images.fetch(engine, reference)
