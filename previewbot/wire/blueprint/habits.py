"""Keys that people know from Compose and the like, and what to write here instead."""

from __future__ import annotations

from collections.abc import Mapping

from previewbot.wire.yaml_source import Path

_BUILD = "write it below `build`, as in `build: {context: ., dockerfile: Dockerfile}`"
_SIZE = "name one of the operator's sizes as `size`"
_NETWORK = "leave it out: an environment has a network of its own, where a service is reached by its name"
_OWN = "leave it out: it is made for each environment, and `${resources.NAME.url}` has it"

_OF_THE_FILE: Mapping[str, str] = {
    "name": "write it as `app`",
    "env": "write it in each service",
    "networks": _NETWORK,
    "volumes": "write `NAME: volume` below `resources`",
    "databases": "write it below `resources`",
}
_OF_A_SERVICE: Mapping[str, str] = {
    **dict.fromkeys(("context", "dockerfile", "target", "args"), _BUILD),
    **dict.fromkeys(("cpu", "cpus", "memory", "mem_limit", "deploy"), _SIZE),
    **dict.fromkeys(("networks", "hostname", "container_name", "links"), _NETWORK),
    "environment": "write it as `env`",
    "expose": "write it as `port`",
    "restart": "leave it out: what ends is started again",
}
_OF_A_RESOURCE: Mapping[str, str] = {
    **dict.fromkeys(("user", "username", "password", "database", "environment", "env", "port", "ports"), _OWN),
    "image": "leave it out: `type` and `version` say which, and the operator from where",
}


def instead(path: Path) -> str | None:
    """What to write in the place of a key that is known elsewhere."""
    match path:
        case (str(key),):
            return _OF_THE_FILE.get(key)
        case ("services", _, str(key)):
            return _OF_A_SERVICE.get(key)
        case ("secrets", _, "value" | "default" | "from"):
            return "leave it out and take another value: who runs previewbot sets it by `previewbot secrets set`"
        case ("resources", _, str(key)):
            return _OF_A_RESOURCE.get(key)
        case _:
            return None
