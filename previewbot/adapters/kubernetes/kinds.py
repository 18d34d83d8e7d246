"""The kinds of things that previewbot has in a cluster, and where the API serves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

Json: TypeAlias = Any
"""Any value that JSON can write."""

Thing = dict[str, Any]
"""One object as the Kubernetes API gives it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API: ``group`` is empty for the core group."""

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool = True
    custom: bool = False
    """Defined by a CustomResourceDefinition."""
    view: str = ""
    """Which part of them is meant, where two are looked at apart."""

    @property
    def api_version(self) -> str:
        """As manifests write it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Where one object is, or all of them, in one namespace or in every one."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [each for each in (name, subresource) if each is not None]
        return "/" + "/".join(quote(each, safe="") for each in parts)


NAMESPACE = Kind("Namespace", "", "v1", "namespaces", namespaced=False)
POD = Kind("Pod", "", "v1", "pods")
SERVICE = Kind("Service", "", "v1", "services")
SECRET = Kind("Secret", "", "v1", "secrets")
EVENT = Kind("Event", "", "v1", "events")
ACCOUNT = Kind("ServiceAccount", "", "v1", "serviceaccounts")
QUOTA = Kind("ResourceQuota", "", "v1", "resourcequotas")
LIMIT_RANGE = Kind("LimitRange", "", "v1", "limitranges")
DEPLOYMENT = Kind("Deployment", "apps", "v1", "deployments")
CLAIM = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
JOB = Kind("Job", "batch", "v1", "jobs")
POLICY = Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
INGRESS = Kind("Ingress", "networking.k8s.io", "v1", "ingresses")
HTTP_ROUTE = Kind("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes", custom=True)
SLICE = Kind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices")
"""Where the cluster's own API is."""
REACH = Kind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices", view="ours")
"""Which pods our own Services lead to."""

_ALL = (
    NAMESPACE,
    POD,
    SERVICE,
    SECRET,
    EVENT,
    ACCOUNT,
    QUOTA,
    LIMIT_RANGE,
    DEPLOYMENT,
    JOB,
    CLAIM,
    POLICY,
    INGRESS,
    HTTP_ROUTE,
    SLICE,
)
_BY_NAME = {each.name: each for each in _ALL}


def kind_of(thing: Thing) -> Kind:
    """The kind of an object that says it."""
    return _BY_NAME[thing["kind"]]


def is_ending(thing: Thing) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in thing["metadata"]
