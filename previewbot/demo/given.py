"""A cluster that somebody has already, as a kubeconfig and a few variables tell of it: for the demo, and for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from previewbot.demo import base_image, machine

_NEEDED = {
    "PREVIEWBOT_TEST_REGISTRY": "the registry, HOST:PORT, as nodes, BuildKit and this machine call it",
    "PREVIEWBOT_TEST_BUILDKIT": "BuildKit's address, as `buildctl --addr` takes it",
    "PREVIEWBOT_TEST_INGRESS": "where the ingress controller answers on this machine: 127.0.0.1:PORT",
}
_HERE = ("127.0.0.1", "localhost")
_PATIENCE = 120
_PROGRAMS = ("kubectl", "buildctl", "helm")
_DOCKERFILE = 'FROM scratch\nADD base.tar /\nENV PATH=/bin\nWORKDIR /\nCMD ["sh"]\n'


def given(kubeconfig: Path, variables: Mapping[str, str] = os.environ) -> Mapping[str, Any]:
    """Describe the cluster as a ``state.json`` would; raises ``MachineError`` with everything that is missing."""
    missing = [f"{name}: {what}" for name, what in _NEEDED.items() if not variables.get(name)]
    if not kubeconfig.is_file():
        missing.insert(0, f"{kubeconfig}: a kubeconfig, or the state.json that `make cluster` writes")
    if missing:
        raise machine.MachineError("\n  ".join(("The cluster cannot be used. There is no", *missing)))
    host, _, port = variables["PREVIEWBOT_TEST_INGRESS"].partition(":")
    if host not in _HERE or not port.isdigit():
        raise machine.MachineError(
            f"PREVIEWBOT_TEST_INGRESS is {host}:{port}, but previews are hosts of this machine here: it has to be "
            "127.0.0.1:PORT. `kubectl port-forward` leads from there to a cluster."
        )
    return {
        "kubeconfig": str(kubeconfig.absolute()),
        "registry": variables["PREVIEWBOT_TEST_REGISTRY"],
        "buildkit": variables["PREVIEWBOT_TEST_BUILDKIT"],
        "ingress": f"127.0.0.1:{port}",
        "ingress_class": variables.get("PREVIEWBOT_TEST_INGRESS_CLASS", "traefik"),
        "gateway": variables.get("PREVIEWBOT_TEST_GATEWAY", ""),
        "network": variables.get("PREVIEWBOT_TEST_NETWORK", ""),
        "programs": {each: shutil.which(each) or each for each in _PROGRAMS},
    }


def build_base(state: Mapping[str, Any]) -> str:
    """Have BuildKit make the base image and push it to the registry; returns its name."""
    image = f"{state['registry']}/{base_image.NAME}"
    insecure = ",registry.insecure=true" if is_plain(state) else ""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(_DOCKERFILE)
        Path(folder, "base.tar").write_bytes(base_image.filesystem())
        command = (
            state["programs"]["buildctl"], "--addr", state["buildkit"], "build", "--frontend=dockerfile.v0",
            "--local", f"context={folder}", "--local", f"dockerfile={folder}", "--progress=plain",
            "--output", f"type=image,name={image},push=true{insecure}",
        )  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise machine.MachineError(f"The base image cannot be made: {error}") from error
    if done.returncode:
        raise machine.MachineError(f"The base image cannot be made:\n{done.stderr[-1000:]}")
    return image


def is_plain(state: Mapping[str, Any]) -> bool:
    """Whether the registry speaks HTTP without encryption, as one on this machine does."""
    return str(state["registry"]).partition(":")[0] in _HERE
