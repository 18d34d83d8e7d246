"""Finding the image that a service runs: one of ours by its ID, any other by its name, pulled where it is missing.

Pulls are anonymous: credentials of the operator's never serve an image that a commit names.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, InvalidRepository, NotFound
from docker.utils import parse_repository_tag

from previewbot.adapters.building import UNWELL
from previewbot.adapters.docker.engine import Engine, explain
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_PULL_LIMIT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there: its ID, and the folders that it declares as volumes."""

    id: str
    volumes: tuple[str, ...]


async def find(engine: Engine, digest: str) -> Image:
    """Read an image of ours; one that is gone is ``Transient``, since the next pass builds it again."""
    found = await engine.call(lambda client: _inspect(client, digest))
    if found is None:
        raise Transient("An image that was there a moment ago is gone.")
    return found


async def fetch(engine: Engine, reference: str) -> Image:
    """Read an image by its name, and pull it first where it is missing."""
    found = await engine.call(lambda client: _inspect(client, reference))
    if found is not None:
        return found
    try:
        async with asyncio.timeout(_PULL_LIMIT.total_seconds()):
            await engine.call(lambda client: _pull(client, reference), slow=True)
    except TimeoutError:
        raise _unavailable(reference, "the pull took too long") from None
    found = await engine.call(lambda client: _inspect(client, reference))
    if found is None:
        raise _unavailable(reference, "it was pulled, but is not there")
    return found


def _inspect(client: docker.APIClient, reference: str) -> Image | None:
    try:
        found: dict[str, Any] = client.inspect_image(reference)
    except (ImageNotFound, NotFound):
        return None
    except APIError as error:
        if error.is_client_error():  # not a name that any image can have
            raise _unavailable(reference, explain(error)) from error
        raise
    return Image(found["Id"], tuple(sorted(found.get("Config", {}).get("Volumes") or {})))


def _pull(client: docker.APIClient, reference: str) -> None:
    repository, tag = parse_repository_tag(reference)
    try:
        for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True, auth_config={}):
            if "error" in line:
                raise _not_pulled(reference, str(line["error"]))
    except APIError as error:
        raise _not_pulled(reference, explain(error)) from error
    except InvalidRepository as error:
        raise _unavailable(reference, str(error)) from error


def _not_pulled(reference: str, why: str) -> Refused | Transient:
    """Tell a registry that is unwell, which passes, from an image that nobody has."""
    refused = _unavailable(reference, why)
    return Transient(refused.message) if UNWELL.search(why) else refused


def _unavailable(reference: str, why: str) -> Refused:
    return Refused(Reason.IMAGE_UNAVAILABLE, f"The image `{reference}` cannot be pulled: {why[:300]}")
