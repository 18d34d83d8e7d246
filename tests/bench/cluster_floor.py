"""The floor of push-to-URL and of close on Kubernetes: what a shell script does, without anything around it.

``deploy``: fetch, checkout, ``buildctl build`` with push for both services at once, ``kubectl apply --server-side``,
``kubectl rollout status``, and ask through the ingress until the commit answers. ``end``: ``kubectl delete namespace
--wait``. Nothing else is timed.

What is applied are the manifests that previewbot itself applies for this app, its fence around the programs included:
the same limits, probes and rights. The script keeps one release's names, so a push is a rolling update in place.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from previewbot.adapters.kubernetes import (
    Names,
    Network,
    Options,
    Routing,
    draw,
    draw_fence,
    draw_routes,
    place_of,
)
from previewbot.core.blueprint import Build, Health
from previewbot.core.ids import Key
from previewbot.core.model import ReleaseSpec, ServiceSpec
from previewbot.demo.stage import Stage
from tests.bench.floor import ask
from tests.bench.origin import Origin
from tests.cluster.state import Cluster

_SERVICES = ("web", "api")
_PATIENCE = "60s"


class Floor:
    """The script, with a namespace of its own."""

    def __init__(self, stage: Stage, cluster: Cluster, folder: Path, number: int = 1) -> None:
        self._stage, self._cluster = stage, cluster
        self._origin = Origin.of(stage.github, stage.repository)
        self._mirror, self._tree = folder / "mirror.git", folder / "tree"
        self._host = f"floor-{number}.localhost"
        network = (cluster.network,) if cluster.network else ()
        options = Options(
            network=Network(ingress_cidrs=network, dns_cidrs=network), routing=Routing(cluster.ingress_class)
        )
        self._place = place_of(Key(1, number), Names("floor"), options)
        self.namespace = self._place.namespace
        _run("git", "init", "-q", "--bare", str(self._mirror))
        self._kubectl("apply", "--server-side", "-f", "-", given=draw_fence(self._place))

    def deploy(self, sha: str) -> float:
        """Bring a commit up, and say how many seconds it took until it answered."""
        began = time.monotonic()
        self._origin.lay_out(sha, self._mirror, self._tree)
        with ThreadPoolExecutor() as pool:
            images = dict(zip(_SERVICES, pool.map(self._build, _SERVICES), strict=True))
        self._kubectl("apply", "--server-side", "-f", "-", given=self._things(sha, images))
        for service in _SERVICES:
            self._kubectl("rollout", "status", f"deployment/{service}-floor", "--timeout", _PATIENCE)
        ask(sha, "127.0.0.1", self._stage.door, self._host)
        return time.monotonic() - began

    def end(self) -> float:
        """Take everything away, and say how many seconds it took until it was gone."""
        began = time.monotonic()
        _run(*self._command, "delete", "namespace", self.namespace, "--wait")
        return time.monotonic() - began

    def _build(self, service: str) -> str:
        """Build one service and push it; returns its reference by digest."""
        cluster, context, metadata = self._cluster, self._tree / service, self._tree / f"{service}.json"
        name = f"{cluster.registry}/floor/{service}"
        _run(
            cluster.programs["buildctl"], "--addr", cluster.buildkit, "build", "--frontend=dockerfile.v0",
            "--local", f"context={context}", "--local", f"dockerfile={context}", "--metadata-file", str(metadata),
            "--output", f"type=image,name={name}:x,push=true,registry.insecure=true",
        )  # fmt: skip
        return f"{name}@{json.loads(metadata.read_text())['containerimage.digest']}"

    def _things(self, sha: str, images: Mapping[str, str]) -> Sequence[Any]:
        release = self._release(sha)
        made = [*draw(self._place, release, images, {}), *draw_routes(self._place, release)]
        for each in made:
            if each["kind"] == "Deployment":  # the script has no names for siblings: nothing here asks for one
                each["spec"]["template"]["spec"].pop("hostAliases", None)
        return made

    def _release(self, sha: str) -> ReleaseSpec:
        env = {"PREVIEWBOT_COMMIT": sha}
        web = ServiceSpec(
            name="web", image="web", env={**env, "PORT": "8080"}, build=Build(), port=8080, user=1000, command=None,
            health=Health("/commit.txt", timedelta(minutes=1)), host=self._host, replicas=1,
        )  # fmt: skip
        api = replace(web, name="api", image="api", env=env, port=9000, health=Health(), host=None)
        return ReleaseSpec(self._place.key, "floor", "shop", sha, (web, api))

    @property
    def _command(self) -> tuple[str, ...]:
        return (self._cluster.programs["kubectl"], "--kubeconfig", self._cluster.kubeconfig)

    def _kubectl(self, *arguments: str, given: Sequence[Any] = ()) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": given}) if given else None
        _run(*self._command, "--namespace", self.namespace, *arguments, given=text)


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout
