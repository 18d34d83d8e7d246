"""Where environments run: an engine and Caddy, or a cluster with BuildKit and a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator

from previewbot.settings.values import Amount, Duration, Section, Size, is_loopback

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


class DockerSettings(Section):
    """The engine that builds and runs."""

    host: str | None = Field(
        None, description="unix:///… or tcp://…; by default what DOCKER_HOST says, or the usual socket."
    )
    memory: Size = Field(512 * 1024**2, description="What one container may use.")
    cpus: float = Field(1.0, gt=0, description="What one container may use.")
    pids: int = Field(256, ge=16, description="Processes and threads of one container.")
    build_time_limit: Duration = Field(timedelta(minutes=15), description="How long one build may take.")
    builds_at_once: int = Field(2, ge=1, le=64, description="Builds that run at the same time.")


class GatewaySettings(Section):
    """A Gateway of the Gateway API."""

    name: str = Field(description="Its name.")
    namespace: str = Field(description="Its namespace.")
    section: str | None = Field(None, description="The listener to attach to; by default all.")


class KubernetesSettings(Section):
    """The cluster that environments run in: one namespace each."""

    kubeconfig: Path | None = Field(
        None, description="By default the cluster that previewbot is a pod of, else the usual kubeconfig."
    )
    context: str | None = Field(None, description="A context of the kubeconfig; by default its current one.")
    cpu: float = Field(1.0, gt=0, description="What one container may use.")
    memory: Size = Field(512 * 1024**2, description="What one container may use.")
    disk: Size = Field(2 * 1024**3, description="What one container may write to its node's disk.")
    cpu_request: float = Field(0.05, gt=0, description="What one container is promised.")
    memory_request: Size = Field(64 * 1024**2, description="What one container is promised.")
    quota: dict[str, Amount] = Field(
        {}, description="What one environment may use, as a ResourceQuota's hard; on top of previewbot's own."
    )
    run_as_user: int = Field(10001, ge=1, description="Who a program runs as whose image names no user by a number.")
    wait_for_room: Duration = Field(
        timedelta(minutes=2), description="How long a program waits for a node that has room, until that is told."
    )
    wait_for_image: Duration = Field(
        timedelta(seconds=30), description="How long its node tries to pull its image, until that is told."
    )
    runtime_class: str | None = Field(None, description="A RuntimeClass with more isolation, such as gvisor.")
    ingress_class: str | None = Field(None, description="By default the cluster's default one.")
    ingress_annotations: dict[str, str] = Field({}, description="Annotations of every Ingress or HTTPRoute.")
    tls_certificate_file: Path | None = Field(
        None, description="A wildcard certificate for the previews, with those that vouch for it (PEM)."
    )
    tls_key_file: Path | None = Field(None, description="The key of that certificate (PEM).")
    tls_secret: str | None = Field(None, description="Instead: a certificate's Secret that each namespace has already.")
    cluster_issuer: str | None = Field(None, description="A ClusterIssuer of cert-manager, for one certificate a host.")
    gateway: GatewaySettings | None = Field(None, description="HTTPRoutes on this Gateway instead of Ingresses.")
    ingress_namespaces: list[str] = Field(
        ["ingress-nginx", "traefik"], description="Where visitors come from: the ingress controller's namespaces."
    )
    ingress_networks: list[IPvAnyNetwork] = Field([], description="The same, where it is no pod.")
    dns_namespaces: list[str] = Field(["kube-system"], description="Where the cluster's DNS is.")
    dns_networks: list[IPvAnyNetwork] = Field([], description="The same, where it is no pod.")
    allowed_networks: list[IPvAnyNetwork] = Field(
        [], description="Networks that previews may reach, besides the internet."
    )
    denied_networks: list[IPvAnyNetwork] = Field(
        [], description="Networks that previews may not reach, besides private ones and the cluster's API."
    )

    @model_validator(mode="after")
    def _one_certificate(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file belong together: set both")
        ways = ("tls_certificate_file", "tls_secret", "cluster_issuer")
        chosen = [each for each in ways if getattr(self, each)]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} are each a way to a certificate: use one of them")
        if chosen and self.gateway:
            told = "the certificate of a Gateway is its listener's: name it there (tls.certificateRefs)"
            raise ValueError(f"{chosen[0]} has no use beside gateway; {told}")
        return self


@dataclass(frozen=True, slots=True)
class PodAddress:
    """What ``kube-pod://POD?namespace=NAME&container=NAME`` says; the container may be left out."""

    pod: str
    namespace: str
    container: str | None

    @classmethod
    def parse(cls, address: str) -> Self:
        """Read it; raises ``ValueError`` with what is wrong."""
        parts = urlsplit(address)
        try:
            said = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        except ValueError:
            said = {}
        strange = sorted(set(said) - {"namespace", "container"})
        if strange:
            told = (
                f"{strange[0]} means nothing here: the pod is in the cluster of kubernetes.kubeconfig and its context"
            )
            raise ValueError(told)
        names = (parts.netloc, said.get("namespace", ""), said.get("container", "x"))
        if parts.path or not all(_NAME.fullmatch(each) for each in names):
            raise ValueError("the pod and its namespace are needed: kube-pod://POD?namespace=NAME")
        return cls(parts.netloc, said["namespace"], said.get("container"))


class BuildKitSettings(Section):
    """What builds images, where environments run in a cluster."""

    address: str = Field(
        "unix:///run/buildkit/buildkitd.sock",
        description="unix:///…, tcp://HOST:PORT, kube-pod://POD?namespace=NAME or docker-container://NAME.",
    )
    tls_ca_file: Path | None = Field(None, description="For tcp://: who may have signed BuildKit's certificate.")
    tls_certificate_file: Path | None = Field(None, description="For tcp://: previewbot's own certificate.")
    tls_key_file: Path | None = Field(None, description="For tcp://: the key of that certificate.")
    buildctl: str = Field("buildctl", description="BuildKit's client: a path, or a name to find on PATH.")
    cache: Literal["registry", "inline", "none"] = Field(
        "registry", description="Where layers are kept beside BuildKit's own disk."
    )
    build_time_limit: Duration = Field(timedelta(minutes=15), description="How long one build may take.")
    builds_at_once: int = Field(2, ge=1, le=64, description="Builds that run at the same time.")

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if not re.match(r"(unix|tcp|kube-pod|docker-container)://.", address):
            raise ValueError("an address such as unix:///run/buildkit/buildkitd.sock or tcp://HOST:1234 is needed")
        if address.startswith("kube-pod://"):
            PodAddress.parse(address)
        return address

    @property
    def pod(self) -> PodAddress | None:
        """The pod that it is, where it is one."""
        return PodAddress.parse(self.address) if self.address.startswith("kube-pod://") else None

    @model_validator(mode="after")
    def _proof(self) -> Self:
        files = (self.tls_ca_file, self.tls_certificate_file, self.tls_key_file)
        if any(files) and not all(files):
            raise ValueError("tls_ca_file, tls_certificate_file and tls_key_file belong together: set all three")
        host = urlsplit(self.address).hostname or ""
        if self.address.startswith("tcp://") and not all(files) and not is_loopback(host):
            raise ValueError(
                f"address {self.address} leaves this machine, and whoever reaches BuildKit owns what it builds:"
                " set tls_ca_file, tls_certificate_file and tls_key_file"
            )
        return self


class RegistrySettings(Section):
    """Where images are kept, where environments run in a cluster."""

    prefix: str | None = Field(
        None, description="A registry, and a folder in it, such as registry.example.com/previews."
    )
    username: str | None = Field(None, description="Who previewbot is there.")
    password_file: Path | None = Field(None, description="The password, in a file that is read at each use.")
    docker_config_file: Path | None = Field(None, description="What `docker login` writes, instead of both.")
    pull_secret_file: Path | None = Field(
        None, description="What `docker login` writes, with a login that may only pull: the cluster's."
    )
    ca_file: Path | None = Field(None, description="Certificates that are trusted besides the machine's.")
    plain_http: bool = Field(default=False, description="Speak HTTP without encryption: on this machine alone.")

    @field_validator("prefix")
    @classmethod
    def _has_host(cls, prefix: str | None) -> str | None:
        host = (prefix or "").partition("/")[0]
        is_host = bool(set(host) & {".", ":"}) or host == "localhost"
        if prefix is not None and not (is_host and _PREFIX.fullmatch(prefix)):
            raise ValueError("a registry's host and a folder in it, such as registry.example.com/previews, are needed")
        return prefix

    @model_validator(mode="after")
    def _fits(self) -> Self:
        host = (self.prefix or "").partition("/")[0].partition(":")[0]
        if self.plain_http and not is_loopback(host):
            raise ValueError(
                f"plain_http would send credentials to {host or 'no host'} without encryption: it is possible for a"
                " registry on this machine alone (localhost, 127.0.0.1); give others a certificate, and ca_file"
            )
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together: set both, or docker_config_file")
        if self.username and self.docker_config_file:
            raise ValueError("username and docker_config_file cannot both be set: use one of them")
        return self


class CaddySettings(Section):
    """The front door."""

    admin: str = Field("http://127.0.0.1:2019", description="Caddy's admin API.")
    listen: list[str] = Field([":8080"], min_length=1, description="Where Caddy listens for previews.")
    proxies: list[IPvAnyNetwork] = Field([], description="Networks of proxies before Caddy that are believed.")
