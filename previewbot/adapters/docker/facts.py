"""What one container is like now, read from the engine's answer to an inspection. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from previewbot.adapters.docker.labels import Target
from previewbot.adapters.docker.limits import MIB
from previewbot.adapters.exits import exits, killed
from previewbot.core.blueprint import Kind

LOOPBACK = "127.0.0.1"
_ALIVE = frozenset({"running", "restarting", "paused", "stopping"})
_NEVER = "0001-01-01T00:00:00Z"
"""When something started that never did, as the engine writes it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a port of a container is reached: at its own address, or published on the loopback."""

    host: str
    port: int
    is_published: bool = False

    def __str__(self) -> str:
        """Write it as the front door reads it."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Facts:
    """One container; ``restarts`` counts how often the engine started it again after an exit."""

    id: str
    status: str
    started_at: str
    """As the engine writes it: it differs after every start."""
    restarts: int
    exit_code: int
    out_of_memory: bool
    memory: int
    """Its limit in bytes."""
    labels: Mapping[str, str]
    address: Address | None
    """Where its port is reached from here, while it runs."""
    finished_at: str = ""
    """When it ended last."""

    @property
    def is_alive(self) -> bool:
        """Whether the engine runs it or means to run it again."""
        return self.status in _ALIVE

    @property
    def is_running(self) -> bool:
        """Whether its program runs now."""
        return self.status in ("running", "paused")

    @property
    def target(self) -> Target:
        """What it must do to count as ready."""
        return Target.read(self.labels)

    @property
    def is_job(self) -> bool:
        """Whether it is to run to its end, instead of on and on."""
        return not self.target.kind.stays

    def is_where(self, listed: Mapping[str, Any]) -> bool:
        """Whether the engine lists it at the same address."""
        return self.address is None or self.address.is_published or self.address.host == _own_ip(listed)

    def running_seconds(self, now: datetime) -> float:
        """How long its program has been running, by the engine's clock."""
        return (now - _read(self.started_at)).total_seconds()

    @property
    def took(self) -> float:
        """How many seconds it ran, once it is over."""
        return self.running_seconds(_read(self.finished_at))

    @property
    def limit(self) -> float:
        """How many seconds it may run, where it is to run to its end."""
        return self.target.health.timeout.total_seconds()

    def last_exit(self) -> str | None:
        """Say how its program ended last, where it does not run now."""
        if self.is_running:
            return None
        if self.out_of_memory:
            return killed(f"{self.memory // MIB} MiB")
        return exits(self.exit_code)


def _read(moment: str) -> datetime:
    """Read a time as the engine writes it, in nanoseconds."""
    whole, _, rest = moment.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6].ljust(6, '0')}+00:00")


def read(found: Mapping[str, Any]) -> Facts:
    """Read the answer to ``GET /containers/{id}/json`` (Docker Engine API)."""
    state, labels = found["State"], found["Config"].get("Labels") or {}
    target = Target.read(labels)
    return Facts(
        id=found["Id"],
        status=_status(state, target.kind),
        started_at=state["StartedAt"],
        finished_at=state.get("FinishedAt", ""),
        restarts=found.get("RestartCount", 0),
        exit_code=state.get("ExitCode", 0),
        out_of_memory=bool(state.get("OOMKilled")),
        memory=found.get("HostConfig", {}).get("Memory", 0),
        labels=labels,
        address=_address(found, target.port),
    )


def laid(listed: Mapping[str, Any]) -> Facts:
    """Read what is only laid from the engine's list (``GET /containers/json``): it was never started."""
    return Facts(
        id=listed["Id"],
        status=listed["State"],
        started_at=_NEVER,
        restarts=0,
        exit_code=0,
        out_of_memory=False,
        memory=0,
        labels=listed["Labels"],
        address=None,
    )


def _status(state: Mapping[str, Any], kind: Kind) -> str:
    """Say as Docker does what Podman calls ``stopped``: it ended, and is cleaned up after or started again soon."""
    if state["Status"] != "stopped":
        return str(state["Status"])
    is_over = not kind.stays and state.get("FinishedAt", "") > state["StartedAt"]
    return "exited" if is_over else "restarting"


def _address(found: Mapping[str, Any], port: int | None) -> Address | None:
    """Read where a port is reached: where it is to be published, nowhere else."""
    host, settings = found.get("HostConfig", {}), found["NetworkSettings"]
    if port is None:
        return None
    if (host.get("PortBindings") or {}).get(f"{port}/tcp"):
        bindings = (settings.get("Ports") or {}).get(f"{port}/tcp") or ()
        return next((Address(LOOPBACK, int(each["HostPort"]), is_published=True) for each in bindings), None)
    ip = _own_ip(found)
    return Address(ip, port) if ip else None


def _own_ip(found: Mapping[str, Any]) -> str | None:
    """Of all its networks, the one that it was made on: the others come and go with newer releases."""
    networks, home = found["NetworkSettings"].get("Networks") or {}, found.get("HostConfig", {}).get("NetworkMode", "")
    # Some engines name it there by its ID.
    own = (each for name, each in networks.items() if home in (name, each.get("NetworkID")))
    return next((each.get("IPAddress") for each in own), None) or None
