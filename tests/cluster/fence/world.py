"""What the fence knows of the cluster: pods, namespaces and policies as the API server tells of them."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tests.cluster.api import Api
from tests.cluster.fence.policies import Pod, World

Json = dict[str, Any]
Name = tuple[str, str]
"""A namespace and a pod's name."""

PATHS = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
_PAUSE = 0.2
"""Seconds until an API server that did not answer is asked again."""


class Listing:
    """One kind of things, kept as they are by a thread of its own; ``changed`` is called after each change."""

    def __init__(self, api: Api, path: str, changed: Callable[[], None]) -> None:
        self._api, self._path, self._changed = api, path, changed
        self._things: dict[str, Json] = {}
        self.is_fresh = False
        """Whether every change is heard of."""

    def start(self) -> None:
        """Begin to keep up."""
        threading.Thread(target=self._keep_up, daemon=True).start()

    def things(self) -> Collection[Json]:
        """All of them."""
        return self._things.values()

    def _keep_up(self) -> None:
        """List and watch, again and again: a watch ends after a while, and the tests restart the API server."""
        while True:
            try:
                self._watch()
            except (OSError, http.client.HTTPException, ValueError) as error:
                print(f"{self._path}: {error!r}", flush=True)
                time.sleep(_PAUSE)
            finally:
                self.is_fresh = False

    def _watch(self) -> None:
        listed = self._api.read(self._path)
        self._things = {each["metadata"]["uid"]: each for each in listed["items"]}
        with self._api.follow(self._path, listed["metadata"]["resourceVersion"]) as lines:
            self.is_fresh = True
            self._changed()
            for line in lines:
                self._hear(json.loads(line))

    def _hear(self, event: Json) -> None:
        if event["type"] == "ERROR":
            raise OSError(event["object"].get("message"))
        things, uid = dict(self._things), event["object"]["metadata"]["uid"]
        things.pop(uid, None)
        if event["type"] != "DELETED":
            things[uid] = event["object"]
        self._things = things
        self._changed()


class Cluster:
    """All kinds together."""

    def __init__(self, api: Api, changed: Callable[[], None]) -> None:
        self._kinds = {kind: Listing(api, path, changed) for kind, path in PATHS.items()}

    def start(self) -> None:
        """Begin to keep up."""
        for each in self._kinds.values():
            each.start()

    @property
    def is_fresh(self) -> bool:
        """Whether every change of every kind is heard of."""
        return all(each.is_fresh for each in self._kinds.values())

    def world(self, addresses: Mapping[str, Name]) -> World:
        """What is there now, of the pods those that have an address."""
        pods = {_name(each): each for each in self._kinds["pods"].things()}
        spaces = self._kinds["namespaces"].things()
        return World(
            [_pod(address, pods[name]) for address, name in addresses.items() if name in pods],
            {each["metadata"]["name"]: each["metadata"].get("labels", {}) for each in spaces},
            list(self._kinds["policies"].things()),
        )


def _name(pod: Json) -> Name:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _pod(address: str, pod: Json) -> Pod:
    named = [port for each in pod["spec"]["containers"] for port in each.get("ports", ()) if "name" in port]
    numbers = {(each.get("protocol", "TCP"), each["name"]): each["containerPort"] for each in named}
    return Pod(pod["metadata"]["namespace"], address, pod["metadata"].get("labels", {}), numbers)
