"""Reading the configuration, with all its faults at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from previewbot.settings.stores import SECRETS_KEY
from previewbot.settings.whole import Settings


class Faulty(Exception):  # noqa: N818 - it is the configuration that is
    """The configuration cannot be used; ``faults`` are all its faults, each with the way to mend it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(file: Path | None) -> Settings:
    """Read the configuration; raises ``Faulty`` with every fault at once. Relative paths start where it is run."""
    values = _read(file) if file else {}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise Faulty(tuple(_fault(file, each) for each in error.errors(include_url=False))) from None
    settings._secrets_key = os.environ.pop(SECRETS_KEY, None)  # noqa: SLF001 - nobody else sets it
    if settings.secrets_key and (settings.secrets.key_file or settings.secrets.store not in (None, "local")):
        other = "secrets.key_file" if settings.secrets.key_file else f"secrets.store: {settings.secrets.store}"
        raise Faulty((f"environment: {SECRETS_KEY} and {other} exclude each other: set one of them",))
    return settings


def read_secret(path: Path) -> bytes:
    """Read a file that holds a secret, without the line break at its end; raises ``Faulty``."""
    try:
        secret = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Faulty((f"{path}: cannot be read: {error.strerror}",)) from None
    if not secret:
        raise Faulty((f"{path}: is empty; a secret is needed",))
    return secret


def _read(file: Path) -> dict[str, Any]:
    try:
        values = YAML(typ="safe", pure=True).load(file.read_bytes())
    except OSError as error:
        raise Faulty((f"{file}: cannot be read: {error.strerror}",)) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise Faulty((f"{place}: is not YAML: {error.problem}",)) from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise Faulty((f"{file}: is not YAML: {error}",)) from None
    if not isinstance(values, dict):
        raise Faulty((f"{file}: must hold keys and values, as config/previewbot.yaml does",))
    return values


def _fault(file: Path | None, error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    variable = "PREVIEWBOT_" + "__".join(str(part).upper() for part in error["loc"] if isinstance(part, str))
    said = {"missing": "is missing", "extra_forbidden": "is not a setting"}.get(error["type"], error["msg"])
    said = said.removeprefix("Value error, ")
    return f"{file or 'environment'}: {where} {said}" + (f" (or set {variable})" if error["type"] == "missing" else "")
