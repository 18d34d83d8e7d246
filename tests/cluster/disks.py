"""A provisioner of volumes: folders of the only node, each made for one claim and deleted once nobody claims it.

``python -m tests.cluster.disks KUBECONFIG FOLDER`` runs it. What Kubernetes itself has for tests is a volume of the
type ``hostPath``, which no group of a pod may write to; a ``local`` one is given to the pod's ``fsGroup``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from shutil import rmtree
from typing import Any, cast

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

CLASS = "disks"
"""The StorageClass, which is the default one."""
_PAUSE = 0.3
_LIMIT = 5
"""Seconds that one request may take."""


def storage_class() -> dict[str, Any]:
    """The class whose claims are served here."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "previewbot.dev/disks",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def volume(claim: Any, folder: Path, node: str) -> dict[str, Any]:
    """The volume for one claim."""
    name = f"disk-{claim.metadata.uid}"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    about = {"namespace": claim.metadata.namespace, "name": claim.metadata.name, "uid": claim.metadata.uid}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": claim.spec.resources.requests["storage"]},
            "accessModes": claim.spec.access_modes,
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(folder / name)},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **about},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


class Provisioner:
    """What makes and deletes; both are safe to do twice."""

    def __init__(self, core: client.CoreV1Api, folder: Path, node: str) -> None:
        self._core, self._folder, self._node = core, folder, node

    def claimed(self, claim: Any) -> None:
        """Make a volume for a claim that has none yet."""
        if claim.spec.storage_class_name != CLASS or claim.spec.volume_name or claim.metadata.deletion_timestamp:
            return
        made = volume(claim, self._folder, self._node)
        Path(made["spec"]["local"]["path"]).mkdir(parents=True, exist_ok=True)
        try:
            self._core.create_persistent_volume(cast("client.V1PersistentVolume", made))
        except ApiException as error:
            if error.status != 409:
                raise

    def changed(self, found: Any) -> None:
        """Delete a volume whose claim is gone."""
        if found.spec.storage_class_name != CLASS or found.status.phase != "Released":
            return
        rmtree(found.spec.local.path, ignore_errors=True)
        try:
            self._core.delete_persistent_volume(found.metadata.name)
        except ApiException as error:
            if error.status != 404:
                raise


def main(kubeconfig: str, folder: str, node: str) -> None:
    """Serve claims until the process is ended.

    It looks again and again instead of watching: the tests restart the API server, and its memory starts anew.
    """
    core = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    provisioner = Provisioner(core, Path(folder), node)
    while True:
        try:
            for claim in core.list_persistent_volume_claim_for_all_namespaces(_request_timeout=_LIMIT).items:
                provisioner.claimed(claim)
            for found in core.list_persistent_volume(_request_timeout=_LIMIT).items:
                provisioner.changed(found)
        except (ApiException, HTTPError, OSError) as error:
            print(error, flush=True)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
