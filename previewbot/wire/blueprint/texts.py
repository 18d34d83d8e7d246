"""What single values of ``previewbot.yaml`` may be: names, paths, lengths of time; and what is wrong with others."""

from __future__ import annotations

import difflib
import re
import shlex
import zoneinfo
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from previewbot.core import crontab
from previewbot.core.blueprint import Concurrency, Kind, ResourceType

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=10)
_LONGEST_HOOK = timedelta(minutes=60)
_LONGEST_RUN = timedelta(hours=12)
_LONGEST_PATH = 500


def no(problem: str, fix: str) -> PydanticCustomError:
    """What a check raises: ``problem`` follows the name of the key."""
    return PydanticCustomError("flaw", "{problem}", {"problem": problem, "fix": fix})


def _matches(pattern: str, problem: str, fix: str) -> Callable[[object], object]:
    """A check of texts; what is no text at all is left to the type."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: object) -> object:
        if isinstance(value, str) and not compiled.fullmatch(value):
            raise no(problem, fix)
        return value

    return check


def _text(pattern: str, problem: str, fix: str) -> tuple[BeforeValidator, WithJsonSchema]:
    schema = WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})
    return BeforeValidator(_matches(pattern, problem, fix)), schema


def _inside(value: object) -> object:
    """A path below the root of the repository, normalised; the root itself is ``.``."""
    if not isinstance(value, str):
        return value
    if not value or not value.isprintable() or "\\" in value or len(value) > _LONGEST_PATH:
        raise no("is not a path that a repository can have", "write folders with `/` between them, or `.`")
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if value.startswith("/") or ".." in parts or ".git" in parts:
        raise no("leaves the repository", "write a path inside it, without `..` and without a `/` at the beginning")
    return "/".join(parts) or "."


def _file_inside(value: object) -> object:
    path = _inside(value)
    if path == "." or (isinstance(value, str) and value.endswith("/")):
        raise no("is a folder, not a file", "write the path of a Dockerfile")
    return path


def _changed(value: object) -> object:
    """A glob of changed files: git names each from the root, without ``./``, and never a folder."""
    if isinstance(value, str) and value.startswith("!"):
        raise no("leaves nothing out", "name what needs a preview instead")
    if isinstance(value, str) and (value.startswith(("/", "./", "../")) or value.endswith("/")):
        raise no("is no changed file's name", "write it from the root of the repository, as in `web/**`")
    return value


def split_words(text: str) -> list[str]:
    """Split a command as a shell would; ``ValueError`` where quotes are not closed."""
    return shlex.split(text)


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        words = split_words(value)
    except ValueError as error:
        said = str(error).lower()
        raise no(f"cannot be split into words: {said}", "close the quotes, or write a list of words") from None
    if not words:
        raise no("is empty", "write a command, or leave `command` out")
    return words


def _duration(longest: timedelta) -> Callable[[object], object]:
    def check(value: object) -> object:
        found = re.fullmatch(r"([1-9][0-9]{0,3})(s|m)", value, re.ASCII) if isinstance(value, str) else None
        length = timedelta(seconds=int(found[1]) * (60 if found[2] == "m" else 1)) if found else timedelta(0)
        if not _SHORTEST <= length <= longest:
            most = int(longest.total_seconds()) // 60
            raise no(f"must be a length of time from 1s to {most}m", "write it like `90s` or `2m`")
        return length

    return check


def _scalar(value: object) -> object:
    if not isinstance(value, str | bool | int | float):
        raise no("must be a text, a number, true or false", "")
    return value


def _not_ours(name: object) -> object:
    if isinstance(name, str) and (name == "PREVIEWBOT" or name.startswith("PREVIEWBOT_")):
        raise no("is set by previewbot itself", "choose a name that does not begin with `PREVIEWBOT_`")
    return name


def _one_of(choices: type[StrEnum]) -> tuple[BeforeValidator, WithJsonSchema]:
    words = [str(each) for each in choices]

    def check(value: object) -> object:
        if isinstance(value, str) and value in words:
            return choices(value)
        close = difflib.get_close_matches(value.lower(), words, n=1) if isinstance(value, str) else ()
        fix = f"did you mean `{close[0]}`?" if close else "write one of those"
        raise no(f"must be one of {', '.join(words)}", fix)

    return BeforeValidator(check), WithJsonSchema({"type": "string", "enum": words})


def _timetable(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = crontab.parse(value)
    if isinstance(found, crontab.NoCrontab):
        raise no(found.problem, found.fix)
    return " ".join(value.split())


def _zone(value: object) -> object:
    if not isinstance(value, str) or value in _zones():
        return value
    by_case = {each.lower(): each for each in _zones()}
    close = difflib.get_close_matches(value.lower().replace(" ", "_"), by_case, n=1)
    fix = f"did you mean `{by_case[close[0]]}`?" if close else "write a name of the IANA database, as `Europe/Berlin`"
    raise no("is not the name of a time zone", fix)


@cache
def _zones() -> frozenset[str]:
    """The names of all time zones but the machine's own, which would be another elsewhere."""
    return frozenset({*zoneinfo.available_timezones(), "UTC"} - {"localtime"})


def _mount_path(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = value.split("/")[1:]
    if not value.startswith("/") or not value.isprintable() or any(each in {"", ".", ".."} for each in parts):
        raise no(
            "is not an absolute, clean path", "write it like `/var/uploads`, without `..` and without a `/` at its end"
        )
    if ":" in value or "\\" in value or len(value) > _LONGEST_PATH:
        raise no("is not a path that can be mounted", "choose a shorter one, without `:` and `\\`")
    if parts[0] in {"proc", "sys", "dev"}:
        raise no("belongs to the system", "choose another folder, such as `/var/uploads`")
    return value


def _nothing_told(value: object) -> object:
    """What stands where a secret's value was written: refused in words that never repeat it."""
    if not isinstance(value, dict):
        fix = "delete it, set a new value in the secret store, and leave only names here"
        raise no("must have no value here: what stands in a repository is no secret", fix)
    return value


def _on_or_off(value: object) -> object:
    if isinstance(value, str):
        fix = "write true or false here, and the timetable in the service, for all environments"
        raise no("can only be switched on or off here: another timetable was not tested by the one before", fix)
    return value


def short(name: str, shape: object) -> BeforeValidator:
    """Let a text stand for a mapping with that one key."""
    return BeforeValidator(
        lambda value: {name: value} if isinstance(value, str) else value, json_schema_input_type=str | shape
    )


# Of the grammar of image references (github.com/distribution/reference): [HOST[:PORT]/]PATH[:TAG][@DIGEST].
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = rf"(?=.{{1,400}}$)(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"

Inside = Annotated[str, BeforeValidator(_inside), Field(min_length=1)]
FileInside = Annotated[str, BeforeValidator(_file_inside), Field(min_length=1)]
Words = Annotated[
    list[str], BeforeValidator(_words, json_schema_input_type=str | list[str]), Field(min_length=1, max_length=200)
]
_LENGTH = WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3}[sm]$"})
Duration = Annotated[timedelta, BeforeValidator(_duration(_LONGEST)), _LENGTH]
HookDuration = Annotated[timedelta, BeforeValidator(_duration(_LONGEST_HOOK)), _LENGTH]
RunDuration = Annotated[timedelta, BeforeValidator(_duration(_LONGEST_RUN)), _LENGTH]
Image = Annotated[str, *_text(_IMAGE, "is not the name of an image", "write it like `redis:7`")]
Stage = Annotated[str, *_text(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", "is not the name of a stage", "")]
HttpPath = Annotated[
    str, *_text(r"/[\x21-\x22\x24-\x7e]{0,500}", "is not an HTTP path", "begin it with `/`, as in `/health`")
]
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
Variable = Annotated[str, *_text(_VARIABLE, "cannot be the name of a variable", "")]
OwnVariable = Annotated[Variable, BeforeValidator(_not_ours)]
Scalar = Annotated[
    str | bool | int | float, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
"""What a variable may be written as; it is passed on exactly as it was written."""
_NAMES = "begin with a letter, then use lower case letters, digits and hyphens, at most {} in all"
AppName = Annotated[
    str, *_text(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", "is not a name that a host can have", _NAMES.format(40))
]
_NAME = r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?"
ServiceName = Annotated[str, *_text(_NAME, "is not a name that a service can have", _NAMES.format(32))]
ResourceName = Annotated[str, *_text(_NAME, "is not a name that a resource can have", _NAMES.format(32))]
EnvironmentName = Annotated[str, *_text(_NAME, "is not a name that an environment can have", _NAMES.format(32))]
Chosen = Annotated[str, *_text(_NAME, "is not a name that an operator can have given", _NAMES.format(32))]
"""A size or a backup policy: its name is the operator's."""
VERSION, NO_VERSION = r"\w[\w.-]{0,127}", ("is not a version", "write it like `16` or `16.4-alpine`")
Version = Annotated[
    str | int | float,
    BeforeValidator(_matches(VERSION, *NO_VERSION)),
    WithJsonSchema({"type": ["string", "number"]}),
]
Timetable = Annotated[str, BeforeValidator(_timetable)]
Zone = Annotated[str, BeforeValidator(_zone)]
MountPath = Annotated[str, BeforeValidator(_mount_path), WithJsonSchema({"type": "string", "pattern": "^/[^/]"})]
_PART_OF_HOST = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Domain = Annotated[
    str,
    *_text(
        rf"(?=.{{4,253}}$){_PART_OF_HOST}(\.{_PART_OF_HOST})*\.[a-z][-a-z0-9]{{0,61}}[a-z0-9]",
        "is not the name of a host",
        "write it like `shop.example.com`, in lower case and without `https://`",
    ),
]
AServiceKind = Annotated[Kind, *_one_of(Kind)]
AConcurrency = Annotated[Concurrency, *_one_of(Concurrency)]
AResourceType = Annotated[ResourceType, *_one_of(ResourceType)]
OnOrOff = Annotated[bool, BeforeValidator(_on_or_off)]
Valueless = BeforeValidator(_nothing_told)
Glob = Annotated[str, Field(min_length=1, max_length=200)]
Globs = Annotated[list[Glob], Field(max_length=50)]
FileGlobs = Annotated[list[Annotated[Glob, BeforeValidator(_changed)]], Field(max_length=50)]


def is_variable(name: str) -> bool:
    """Whether a name can be that of a variable which is not previewbot's own."""
    try:
        _not_ours(_matches(_VARIABLE, "", "")(name))
    except PydanticCustomError:
        return False
    return True
