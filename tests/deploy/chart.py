"""The chart, and the values with which it is judged."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.cluster.state import Cluster

CHART = Path("deploy/helm/previewbot")
HOME = f"previewbot-chart-{secrets.token_hex(3)}"
Thing = dict[str, Any]
Values = Mapping[str, Any]

LEAST: Values = {
    "instance": "main",
    "domain": "preview.example.com",
    "image": {"repository": "registry.example.com/previewbot", "digest": f"sha256:{'0' * 64}"},
    "config": {
        "github": {"app_id": 12345678},
        "buildkit": {"address": "unix:///run/buildkit/buildkitd.sock"},
        "registry": {"prefix": "registry.example.com/previews"},
    },
    "secrets": {"github": "previewbot-github"},
    "ingress": {"host": "previewbot.example.com"},
}
"""What has to be said."""


def _with(**more: Any) -> Values:
    return {**LEAST, **{name: {**LEAST[name], **each} if name in LEAST else each for name, each in more.items()}}


SETS: Mapping[str, Values] = {
    "least": LEAST,
    "postgres": _with(replicas=3, secrets={"database": "previewbot-database"}),
    "everything": _with(
        secrets={
            "webhookKeys": ["new", "old"], "buildkit": "b", "registry": "r", "pull": "p", "pages": "t", "vault": "v",
            "certificate": "c",
        },
        config={
            "buildkit": {"address": "tcp://buildkitd.buildkit:1234", "builds_at_once": 4},
            "previews": {"scheme": "https", "port": 443, "drain": "5s", "apps": ["dependabot"]},
            "kubernetes": {"memory": "1GiB", "quota": {"pods": "30"}, "runtime_class": "gvisor"},
            "sizes": {"large": {"cpu": 2, "memory": "2GiB"}},
            "resources": {"images": {"postgres": "registry.example.com/postgres"}},
            "server": {"public_url": "https://bot.example.com"},
        },
        ingress={"tlsSecret": "certificate", "pages": True, "className": "nginx", "annotations": {"a": "b"}},
        registryCertificates="authorities",
        serviceMonitor={"enabled": True, "labels": {"release": "prometheus"}},
        networkPolicy={"fromNetworks": ["192.0.2.0/24"], "dnsNetworks": ["192.0.2.10/32"], "toNetworks": ["0.0.0.0/0"]},
        persistence={"storageClass": "-"},
        podLabels={"team": "platform"},
        podAnnotations={"note": "yes"},
        nodeSelector={"disk": "fast"},
        tolerations=[{"key": "bots", "operator": "Exists"}],
        priorityClassName="system-cluster-critical",
        image={"pullSecrets": ["pull"]},
    ),
    "gateway": _with(
        gateway=True, config={"kubernetes": {"gateway": {"name": "public", "namespace": "gateways"}}},
        ingress={"enabled": False, "host": ""}, persistence={"existingClaim": "disk"},
    ),
    "account": {"instance": "main", "accountOnly": True},
}  # fmt: skip


def write(values: Values, folder: Path) -> Path:
    """Values as a file: JSON is YAML."""
    file = folder / "values.yaml"
    file.write_text(json.dumps(values))
    return file


def render(cluster: Cluster, values: Values, folder: Path) -> str:
    """What Helm makes of the chart; raises ``AssertionError`` with its complaint."""
    return cluster._run(
        [cluster.programs["helm"], "template", "previewbot", str(CHART), "--kube-version", "1.34.4",
         "--namespace", HOME, "--values", str(write(values, folder))]
    )  # fmt: skip


def things(rendered: str) -> Sequence[Thing]:
    """The objects in it."""
    return [each for each in YAML(typ="safe", pure=True).load_all(rendered) if each]


def one(found: Iterable[Thing], kind: str) -> Thing:
    """The only one of a kind."""
    (only,) = (each for each in found if each["kind"] == kind)
    return only
