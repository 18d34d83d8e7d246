"""Finding the environment that a command line names: ``acme/shop#42``."""

from __future__ import annotations

import re

from previewbot.core.errors import Refused
from previewbot.core.model import Record
from previewbot.ports import Records

_REASON = "environment"
_NAME = re.compile(r"(?P<repository>[^/#\s]+/[^/#\s]+)#(?P<number>[1-9][0-9]*)")


async def find(records: Records, environment: str) -> Record:
    """Find the record of an environment; raises ``Refused`` where the name is none, or names nothing."""
    found = _NAME.fullmatch(environment)
    if not found:
        raise Refused(_REASON, f"`{environment}` is no pull request: write it like acme/shop#42.")
    for each in await records.records():
        if each.repository_name == found["repository"] and each.key.number == int(found["number"]):
            return each
    raise Refused(_REASON, f"{environment} has no environment; `previewbot list` shows those that there are.")
