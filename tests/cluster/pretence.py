"""What acts on objects where nothing runs: kwok says of every node that it is ready, and of every pod that it runs.

Stages are described at https://kwok.sigs.k8s.io/docs/user/stages-configuration/.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.cluster.box import Box
from tests.cluster.parts import Part, Programs, controllers, trusted

_UNLIMITED = ("--kube-api-qps=1000", "--kube-api-burst=1000")
"""The defaults hold each controller to twenty requests a second, and would be all that is measured."""

_TRUSTING = ("--node-monitor-grace-period=24h",)
"""A node that is none sends no signs of life."""


def configure(box: Box) -> None:
    """Write down how nodes and pods get on."""
    (box.folder / "stages.json").write_text("\n---\n".join(json.dumps(each) for each in _STAGES))


def parts(box: Box, programs: Programs) -> list[Part]:
    """The controllers, and kwok in the place of a kubelet."""
    asked = (f"--kubeconfig={trusted(box, 'admin.kubeconfig')}", f"--config={box.folder / 'stages.json'}")
    node = (f"--cidr=10.{box.number}.0.0/18", f"--node-ip={box.node}")
    kwok = Part("kwok", (str(programs["kwok"]), "--manage-all-nodes", *asked, *node))
    manager, scheduler = controllers(box, programs, *_UNLIMITED)
    return [replace(manager, command=(*manager.command, *_TRUSTING)), scheduler, kwok]


def _stage(name: str, kind: str, when: list[dict[str, Any]], then: dict[str, Any]) -> dict[str, Any]:
    about = {"apiGroup": "v1", "kind": kind}
    spec = {"resourceRef": about, "selector": {"matchExpressions": when}, "next": then}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


_ENDING = ".metadata.deletionTimestamp"
_ROOM = '{"cpu": "1k", "memory": "1Ti", "ephemeral-storage": "10Ti", "pods": "10k"}'
_NODE = f"""
conditions: [{{type: Ready, status: "True", reason: Pretended, lastHeartbeatTime: {{{{ Now | Quote }}}}}}]
allocatable: {_ROOM}
capacity: {_ROOM}
phase: Running
"""
_POD = """
{{ $now := Now | Quote }}
phase: Running
startTime: {{ $now }}
podIP: {{ index (PodIPsWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace) 0 | Quote }}
conditions:
- {type: Ready, status: "True", lastTransitionTime: {{ $now }}}
- {type: ContainersReady, status: "True", lastTransitionTime: {{ $now }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name }}
  image: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now }}}}
{{ end }}
"""
_STAGES = (
    _stage("node", "Node", [{"key": ".status.phase", "operator": "DoesNotExist"}], {"statusTemplate": _NODE}),
    _stage(
        "pod",
        "Pod",
        [
            {"key": _ENDING, "operator": "DoesNotExist"},
            {"key": ".status.phase", "operator": "In", "values": ["Pending"]},
        ],
        {"statusTemplate": _POD},
    ),
    _stage("end", "Pod", [{"key": _ENDING, "operator": "Exists"}], {"delete": True}),
)
