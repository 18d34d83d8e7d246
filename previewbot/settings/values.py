"""What values look like: lengths of time, sizes and amounts as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from previewbot.core.quantity import canonical

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d+)\s*(ms|s|m|h|d)", value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("a length of time such as 30s, 15m, 6h or 3d is needed")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _size(value: object) -> object:
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"(\d+)\s*(KiB|MiB|GiB)", value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("a size such as 512MiB or 2GiB is needed")
    return int(found[1]) * _SIZES[found[2]]


def _amount(value: object) -> object:
    """Bring an amount into the form in which the cluster keeps it: another one would look changed for ever."""
    written = canonical(str(value)) if isinstance(value, str | int | float) else ""
    if not written or written.startswith("-"):
        raise ValueError("an amount such as 20, 500m or 8Gi is needed")
    return written


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Amount = Annotated[str, BeforeValidator(_amount)]


class Section(BaseModel):
    """A part of the configuration: no key beyond those named."""

    model_config = ConfigDict(extra="forbid", frozen=True)
