"""The order in which a cluster's parts start, and how each is seen to be there."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from previewbot.demo.leftovers import born
from previewbot.demo.machine import MachineError, Say
from tests.cluster import definitions, images, parts, pretence, trust
from tests.cluster.api import Api
from tests.cluster.box import Box, child, entered, open_box, spawn
from tests.cluster.state import Cluster

_PATIENCE = 90.0
"""Seconds that a part may take to come up on a busy machine."""


class Rise:
    """A cluster on its way up."""

    def __init__(self, box: Box, programs: Mapping[str, Path], say: Say) -> None:
        self._box, self._programs, self._say = box, programs, say
        self._api = Api(box)
        self._first = 0
        self._processes: dict[str, int] = {}

    def rise(self, crds: Iterable[Path], *, dies_with_us: bool) -> Cluster:
        """Start everything in its order; raises ``MachineError`` with the last words of what does not come up."""
        box, programs = self._box, self._programs
        trust.write(box)
        parts.configure(box, str(programs["ptp"].parent))
        self._first = open_box(box, dies_with_us=dies_with_us)
        self._say("Starting the API server, containerd, BuildKit and the registry")
        self._start(parts.first(box, programs))
        with ThreadPoolExecutor() as pool:
            images = pool.submit(self._push_images)
            self._wait("apiserver", lambda: self._api.get("/readyz"))
            self._say("Starting the node, the controllers and Traefik")
            self._start(parts.second(box, programs))
            self._define(crds)
            self._start(parts.third(box, programs))
            images.result()
        self._wait("kubelet", self._see_node_ready)
        self._wait("fence", self._see_fence)
        for each in (box.ingress, box.secure_ingress):
            self._wait("traefik", partial(self._connect, each))
        self._wait("buildkitd", self._ask_buildkit)
        return self._cluster()

    def pretend(self) -> Path:
        """Start what keeps and judges objects, with a node that is none; gives the kubeconfig that opens it."""
        trust.write(self._box)
        pretence.configure(self._box)
        self._first = open_box(self._box, dies_with_us=True)
        self._say("Starting the API server, the controllers and kwok")
        self._start(parts.heart(self._box, self._programs))
        self._wait("apiserver", lambda: self._api.get("/readyz"))
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": trust.NODE}}
        self._api.apply(f"/api/v1/nodes/{trust.NODE}", node)
        self._start(pretence.parts(self._box, self._programs))
        self._wait("kwok", self._see_node_ready)
        return self._box.folder / "trust" / "admin.kubeconfig"

    def _start(self, some: Iterable[parts.Part]) -> None:
        paths = dict.fromkeys(str(each.parent) for each in self._programs.values())
        path = ":".join([*paths, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        for part in some:
            command = [*entered(self._first, *part.namespaces), *part.command]
            variables = {"PATH": path, "HOME": str(self._box.folder), **part.variables}
            self._processes[part.name] = spawn(self._box, part.name, command, variables)

    def _wait(self, part: str, look: Callable[[], object]) -> None:
        """Look again until it does not raise; ``MachineError`` with the part's last words where that takes too long."""
        until, why = time.monotonic() + _PATIENCE, "it is still starting"
        while time.monotonic() < until:
            try:
                look()
            except (OSError, LookupError) as error:
                why = str(error)
            else:
                return
            if not born(self._processes[part]):
                why = "it has ended"
                break
            time.sleep(0.1)
        said = (self._box.folder / "logs" / f"{part}.log").read_bytes().decode("utf-8", "replace")[-2000:]
        raise MachineError(f"The cluster's {part} does not come up: {why}. It said:\n{said}")

    def _push_images(self) -> None:
        self._wait("registry", lambda: self._connect(self._box.registry))
        images.push_first_images(self._box.registry)

    def _connect(self, address: str) -> None:
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 2).close()

    def _see_fence(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
            asked.connect(str(self._box.fence))

    def _ask_buildkit(self) -> None:
        asked = (self._programs["buildctl"], "--addr", self._buildkit, "debug", "workers")
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(done.stderr.strip())

    def _see_node_ready(self) -> None:
        """Ready, free of the taint that a new node has, and with the account that pods run as."""
        node = self._api.read("/api/v1/nodes/node")
        ready = [each for each in node["status"]["conditions"] if each["type"] == "Ready"]
        if not ready or ready[0]["status"] != "True" or node["spec"].get("taints"):
            raise LookupError(f"the node is not ready ({ready[0]['message'] if ready else 'it said nothing yet'})")
        self._api.get("/api/v1/namespaces/default/serviceaccounts/default")

    def _define(self, crds: Iterable[Path]) -> None:
        for path, thing in (*definitions.kinds(crds), *definitions.front(self._box)):
            self._wait("apiserver", partial(self._api.apply, path, thing))

    @property
    def _buildkit(self) -> str:
        return f"unix://{self._box.folder}/buildkitd.sock"

    def _process(self, entering: int) -> dict[str, object]:
        """The program itself, which is the only child of what entered the box for it."""
        pid = child(entering)
        return {"pid": pid, "born": born(pid) if pid else ""}

    def _cluster(self) -> Cluster:
        box = self._box
        return Cluster(
            number=box.number,
            kubeconfig=str(box.folder / "trust" / "admin.kubeconfig"),
            registry=box.registry,
            buildkit=self._buildkit,
            ingress=box.ingress,
            ingress_class=definitions.CLASS,
            gateway=definitions.GATEWAY,
            network=box.network,
            logs=str(box.folder / "logs"),
            programs={name: str(path) for name, path in self._programs.items()},
            processes={name: self._process(pid) for name, pid in self._processes.items()},
            outside=box.outside,
            node=box.node,
            secure_ingress=box.secure_ingress,
            secure_registry=box.secure_registry,
            guarded_registry=box.guarded_registry,
            secure_buildkit=box.secure_buildkit,
            trust=str(box.folder / "trust"),
        )
