"""What the operator decides about previews in a cluster; no commit can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

PRIVATE_RANGES = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
"""IPv4 networks that are nobody's business from a preview; 169.254.0.0/16 holds the clouds' metadata services."""

PRIVATE_RANGES_6 = ("::1/128", "fc00::/7", "fe80::/10", "ff00::/8", "64:ff9b::/96")
"""The same in IPv6, with the prefix under which NAT64 shows IPv4 addresses."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one container may use; quantities as the API server writes them."""

    cpu: str = "1"
    memory: str = "512Mi"
    cpu_request: str = "50m"
    memory_request: str = "64Mi"
    disk: str = "2Gi"
    """What it may write to its node's disk."""
    disk_request: str = "64Mi"

    def limits(self) -> dict[str, str]:
        """What it may use, as manifests write it."""
        return {"cpu": self.cpu, "memory": self.memory, "ephemeral-storage": self.disk}

    def requests(self) -> dict[str, str]:
        """What it is promised."""
        return {"cpu": self.cpu_request, "memory": self.memory_request, "ephemeral-storage": self.disk_request}


@dataclass(frozen=True, slots=True)
class Gateway:
    """The Gateway (Gateway API) that HTTPRoutes attach to."""

    name: str
    namespace: str
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """How visitors come in: through an Ingress, or through a Gateway where one is given."""

    ingress_class: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    tls_secret: str | None = None
    """Of the certificate that the ingress controller finds in each namespace; empty: its own default one."""
    cluster_issuer: str | None = None
    """A cert-manager ClusterIssuer that gets each host a certificate."""
    gateway: Gateway | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """Who may talk to a preview, and to whom it may talk."""

    ingress_namespaces: tuple[str, ...] = ("ingress-nginx", "traefik")
    ingress_cidrs: tuple[str, ...] = ()
    """Where the ingress controller is, if it runs outside the cluster's pods."""
    dns_namespaces: tuple[str, ...] = ("kube-system",)
    dns_cidrs: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    """Networks that previews may reach besides the internet, such as that of a proxy."""
    denied: tuple[str, ...] = ()
    """Networks that previews may not reach, besides the private ones."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """The volumes of resources."""

    storage_class: str | None = None
    """``None`` is the cluster's default."""
    size: str = "1Gi"
    """As the API server would write it."""
    access_mode: str = "ReadWriteOnce"
    """``ReadWriteMany`` where services on several nodes share one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what the cluster may mend by itself is no failure yet; it is tried again later even then."""

    room: timedelta = timedelta(minutes=2)
    """A node may join in the meantime, or another program go."""
    image: timedelta = timedelta(seconds=30)
    """In which a node tries about three times to pull an image."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything."""

    sizes: Sizes = Sizes()
    network: Network = Network()
    routing: Routing = Routing()
    volumes: Volumes = Volumes()
    patience: Patience = Patience()
    quota: Mapping[str, str] = field(default_factory=dict)
    """What one environment may have where that is not the usual (``room``), as a ResourceQuota's ``hard``."""
    run_as_user: int = 10001
    """Who a program runs as whose image names no user by a number, or root."""
    stop_seconds: int = 5
    runtime_class: str | None = None


def cpu(cores: float) -> str:
    """Write an amount of CPU as the API server would: ``1``, ``50m``."""
    thousandths = max(1, round(cores * 1000))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def memory(amount: int) -> str:
    """Write an amount of bytes as the API server would: in the largest unit that leaves no rest."""
    units = ("", "Ki", "Mi", "Gi", "Ti")
    power = 0
    while power < len(units) - 1 and amount and amount % 1024 == 0:
        amount, power = amount // 1024, power + 1
    return f"{amount}{units[power]}"
