"""What a developer or a test is told of a cluster: one file, ``state.json``, with the kubeconfig beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from previewbot.demo.given import given

FILE = "state.json"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is up.

    ``registry`` is its name in images, ``localhost:PORT``, for pods, builds and the machine alike. ``buildkit`` is a
    ``unix://`` address. ``ingress`` is ``127.0.0.1:PORT``, where Traefik answers for the Ingresses of ``ingress_class``
    and the HTTPRoutes of the Gateway ``gateway``, a ``namespace/name``. ``network`` is led to from the machine: pods
    and services answer there, too. ``programs`` has the paths of kubectl, buildctl, helm and every other one, and
    ``processes`` tells each process's id and when it was born. Pods reach the machine at ``outside``, the registry over
    TLS at ``secure_registry``, and BuildKit at ``secure_buildkit``; the folder ``trust`` has ``outside-ca.crt``, which
    vouches for both, and ``outside-client.crt`` and ``.key``, which BuildKit asks for. ``node`` is the only node's
    address, where the API server and the name server are. ``secure_ingress`` is where Traefik answers over TLS. A
    registry that a test starts at ``guarded_registry``, with ``outside.crt`` and ``.key``, is trusted like the other.
    """

    number: int
    kubeconfig: str
    registry: str
    buildkit: str
    ingress: str
    ingress_class: str
    gateway: str
    network: str
    logs: str
    programs: Mapping[str, str]
    processes: Mapping[str, Mapping[str, Any]]
    outside: str = ""
    node: str = ""
    secure_registry: str = ""
    secure_buildkit: str = ""
    secure_ingress: str = ""
    guarded_registry: str = ""
    trust: str = ""

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl and give what it says; raises ``AssertionError`` with its complaint."""
        return self._run([self.programs["kubectl"], "--kubeconfig", self.kubeconfig, *arguments], given)

    def build(self, context: Path, name: str, **arguments: str) -> str:
        """Build a folder's Dockerfile and push it as ``repository:tag``; gives the full name of the image."""
        given = [part for key, value in arguments.items() for part in ("--opt", f"build-arg:{key}={value}")]
        image = f"{self.registry}/{name}"
        self._run(
            [
                self.programs["buildctl"], "--addr", self.buildkit, "build", "--frontend", "dockerfile.v0",
                "--local", f"context={context}", "--local", f"dockerfile={context}", *given,
                "--output", f"type=image,name={image},push=true",
            ]
        )  # fmt: skip
        return image

    def _run(self, command: list[str], given: str | None = None) -> str:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def save(self, folder: Path) -> None:
        """Write it down, at once or not at all."""
        aside = folder / f".{FILE}"
        aside.write_text(json.dumps(asdict(self), indent=2) + "\n")
        aside.rename(folder / FILE)


def reuse(kubeconfig: Path) -> Cluster:
    """The cluster of a kubeconfig: what ``make cluster`` wrote beside it, else what variables tell of it.

    Raises ``MachineError`` with the variables that are missing.
    """
    try:
        return load(kubeconfig.parent)
    except FileNotFoundError:
        return Cluster(number=0, logs="", processes={}, **given(kubeconfig))


def load(folder: Path) -> Cluster:
    """Read a cluster's state; raises ``FileNotFoundError`` where none was written."""
    return Cluster(**json.loads((folder / FILE).read_text()))
