"""The connection to the engine: every call in a thread, with a time-out, and with only our own two kinds of error.

It connects at the first call and never keeps the news that the engine is away, so an engine that comes back is used
again at once. It knows nothing of environments.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread
import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound, create_api_error_from_http_exception
from docker.utils import version_lt

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

T = TypeVar("T")

_NEWEST_API = "1.44"
"""The newest version of the Engine API that this adapter was written for; older engines are spoken to in theirs."""
_TIMEOUT = 60
_QUICK_CALLS = 16
_SLOW_CALLS = 32
"""Stops and pulls wait for others, so they have threads of their own."""

_AWAY = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)

_POOLS_EXHAUSTED = ("non-overlapping ipv4 address pool", "all predefined address pools have been fully subnetted")
_JUST_ENDED = "no such process"
_DISK_FULL = "no space left on device"
_HTTP_SERVER_ERROR = 500


class Engine:
    """One Docker-compatible engine, reached at ``url`` (``unix:///…`` or ``tcp://…``)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: docker.APIClient | None = None
        self._connecting = threading.Lock()
        self._quick = anyio.CapacityLimiter(_QUICK_CALLS)
        self._slow = anyio.CapacityLimiter(_SLOW_CALLS)

    async def call(self, ask: Callable[[docker.APIClient], T], *, slow: bool = False) -> T:
        """Ask the engine something. ``docker.errors.NotFound`` and conflicts (409, 304) pass through as ``APIError``.

        Raises ``Transient`` where the engine is away or unwell, ``Refused`` where a person must change something.
        """
        return await anyio.to_thread.run_sync(
            self.ask, ask, abandon_on_cancel=True, limiter=self._slow if slow else self._quick
        )

    def ask(self, ask: Callable[[docker.APIClient], T]) -> T:
        """Do what ``call`` does, in the thread of the caller."""
        try:
            return ask(self._connected())
        except NotFound as error:
            if _has_no_range(error):
                raise self._translate(error) from error
            raise
        except APIError as error:
            raise self._translate(error) from error
        except (*_AWAY, DockerException) as error:
            self.close()
            raise self.away(error) from error

    def away(self, error: BaseException | None = None) -> Transient:
        """Say that the engine does not answer, and what is most likely wrong."""
        return Transient(f"The Docker engine at {self.url} does not answer: {_cause(error)}.")

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> docker.APIClient:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> docker.APIClient:
        _knock(self.url)
        client = self._client_for(_NEWEST_API)
        try:
            spoken = client.version(api_version=False)["ApiVersion"]
        except BaseException:
            client.close()
            raise
        if not version_lt(spoken, _NEWEST_API):
            return client
        client.close()
        return self._client_for(spoken)

    def _client_for(self, version: str) -> docker.APIClient:
        client = docker.APIClient(self.url, version=version, timeout=_TIMEOUT, max_pool_size=_QUICK_CALLS)
        client.trust_env = False  # a proxy of the operator's is not for the engine
        return client

    def _translate(self, error: APIError) -> Exception:
        said = explain(error)
        if _has_no_range(error):
            return Refused(
                Reason.UNSCHEDULABLE,
                "The engine has no address range left for another network: its operator can add ranges under "
                "`default-address-pools` in the engine's daemon.json.",
            )
        if _DISK_FULL in said.lower():
            return Transient("The engine's disk is full: no space left on device.")
        if is_conflict(error):
            return cast("Exception", error)
        if error.response is None or error.response.status_code >= _HTTP_SERVER_ERROR:
            return Transient(f"The Docker engine failed: {said}")
        return Refused(Reason.RUNTIME_REFUSED, f"The Docker engine refuses: {said}")


def _knock(url: str) -> None:
    """Fail early where nobody listens on a socket: the client library would leave its own end of it open."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(url.removeprefix("unix://"))


@contextmanager
def answer(client: docker.APIClient, method: str, path: str, **asked: object) -> Iterator[requests.Response]:
    """Ask for a path of the API, where the client library would not let go of an answer that is not read to its end.

    Raises ``APIError`` as that library does.
    """
    place = f"{client.base_url}/v{client.api_version}/{path}"
    with client.request(method, place, stream=True, **{"timeout": client.timeout, **asked}) as found:
        try:
            found.raise_for_status()
        except requests.HTTPError as error:
            create_api_error_from_http_exception(error)
        yield found


def inspect(client: docker.APIClient, container: str) -> dict[str, Any]:
    """Look at a container; once more where Podman fails since its program ended in that very moment."""
    try:
        return cast("dict[str, Any]", client.inspect_container(container))
    except APIError as error:
        if _JUST_ENDED not in explain(error):
            raise
    return cast("dict[str, Any]", client.inspect_container(container))


def _has_no_range(error: APIError) -> bool:
    """Whether the engine cannot give a network its addresses: it says that it did not find any, and so answers 404."""
    said = explain(error).lower()
    return any(phrase in said for phrase in _POOLS_EXHAUSTED)


def explain(error: APIError) -> str:
    """Give the engine's own words for an error, on one line."""
    return " ".join(str(error.explanation or error).split())[:500]


def is_conflict(error: APIError) -> bool:
    """Whether the engine says that a thing is there already, in use, or on its way out."""
    # Podman has no status for a name that is taken.
    is_taken = "already in use" in str(error.explanation)
    return is_taken or (error.response is not None and error.response.status_code in (403, 409))


def _cause(error: BaseException | None) -> str:
    text = str(error).lower()
    if "permission denied" in text:
        return "previewbot may not use its socket (add its user to the group that owns the socket)"
    if "timed out" in text:
        return "it took too long"
    return "is it running?"


def connect(socket_url: str | None = None) -> Engine:
    """Name the engine to use: the one given, else ``DOCKER_HOST``, else the first socket of Docker's or Podman's."""
    return Engine(socket_url or os.environ.get("DOCKER_HOST") or _find(os.environ))


def _find(environment: Mapping[str, str]) -> str:
    places = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    if home := environment.get("HOME"):
        places[1:1] = [Path(home, ".docker/run/docker.sock"), Path(home, ".docker/desktop/docker.sock")]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        places += [Path(runtime, "docker.sock"), Path(runtime, "podman/podman.sock")]
    found = next((place for place in places if _is_socket(place)), places[0])
    return f"unix://{found}"


def _is_socket(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(path.stat().st_mode)
    return False


async def describe(engine: Engine) -> str:
    """Say what the engine is: ``Docker 20.10.24, BuildKit, cgroup v1``."""

    def ask(client: docker.APIClient) -> tuple[dict[str, Any], dict[str, Any]]:
        return client.version(), client.info()

    version, info = await engine.call(ask)
    name = "Podman" if _is_podman(version) else "Docker"
    number = str(version.get("Version", "?")).partition("+")[0]
    kit = "classic builder" if _is_podman(version) else "BuildKit"
    return f"{name} {number}, {kit}, cgroup v{info.get('CgroupVersion') or '1'}"


async def speaks_buildkit(engine: Engine) -> bool:
    """Whether the engine has BuildKit inside: every Docker Engine of our time has, Podman's stand-in has not."""
    return not _is_podman(await engine.call(lambda client: client.version()))


def _is_podman(version: Mapping[str, Any]) -> bool:
    return any(each.get("Name") == "Podman Engine" for each in version.get("Components") or ())
