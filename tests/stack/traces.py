"""Everything that previewbot wrote, showed or set up for a stack: no value of any secret may be in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from previewbot.demo.ground import EngineGround
from tests.stack.place import Stack

_KINDS = (
    "namespaces,deployments,replicasets,pods,jobs,cronjobs,services,endpointslices,ingresses,configmaps,events,"
    "persistentvolumeclaims,networkpolicies,resourcequotas,limitranges,serviceaccounts"
)
"""Whatever a preview has in a cluster, but for Secrets."""


def traces(stack: Stack) -> Mapping[str, bytes]:
    """What there is now, by names: files, what GitHub shows, and what an engine or a cluster tells of its things."""
    stage = stack.stage
    files = [each for each in (stage.folder / "state").rglob("*") if each.is_file()]
    left = {str(each.relative_to(stage.folder)): each.read_bytes() for each in files}
    left["previewbot.log"] = (stage.folder / "previewbot.log").read_bytes()
    comments = [each.body for pull in stack.repository.pulls.values() for each in pull.comments]
    shown = {"comments": comments, "deployments": repr(stack.repository.deployments)}
    if isinstance(stage.ground, EngineGround):
        shown |= _of_an_engine(stage.ground, stage.instance)
    if stack.cluster:
        shown["objects"] = json.loads(stack.cluster.kubectl("get", _KINDS, "--all-namespaces", "-o", "json"))
    return left | {name: json.dumps(each, ensure_ascii=False).encode() for name, each in shown.items()}


def _of_an_engine(ground: EngineGround, instance: str) -> dict[str, Any]:
    """What it tells of everything of ours, but for the variables that programs are given."""
    client, mine = ground.client(), {"label": [f"previewbot.instance={instance}"]}
    try:
        containers = [client.inspect_container(each["Id"]) for each in client.containers(all=True, filters=mine)]
        for each in containers:
            del each["Config"]["Env"]
            if each["Config"]["Labels"]["previewbot.service"].startswith("hook."):
                # A command that names a secret has it as an argument; of this app, the hooks' do.
                del each["Config"]["Cmd"], each["Args"]
        images = sorted({each["Image"] for each in containers})
        return {
            "containers": containers,
            "networks": client.networks(filters=mine),
            "volumes": client.volumes(filters=mine),
            "images": [client.inspect_image(each) for each in images],
            "history": [client.history(each) for each in images],
        }
    finally:
        client.close()
