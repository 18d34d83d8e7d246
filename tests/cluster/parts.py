"""What runs in a cluster, and with which settings; pure but for the files that ``configure`` writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.box import Box
from tests.cluster.trust import NODE

Programs = Mapping[str, Path]
_PLUGINS = "cni-plugins"

_EVERYWHERE = ("net", "mount", "pid", "ipc")
_OURS = {"PYTHONPATH": str(Path(__file__).parents[2])}
_MACHINES_NETWORK = ("mount", "pid", "ipc")
"""For what listens on the machine's own loopback, and for builds, which may fetch packages."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process: ``namespaces`` of the box that it enters, and what it is started with."""

    name: str
    command: tuple[str, ...]
    namespaces: tuple[str, ...] = _EVERYWHERE
    variables: Mapping[str, str] = field(default_factory=dict)


def heart(box: Box, programs: Programs) -> list[Part]:
    """What keeps every object."""
    return [Part("etcd", _etcd(programs)), Part("apiserver", _apiserver(box, programs))]


def controllers(box: Box, programs: Programs, *more: str) -> list[Part]:
    """What acts on objects, wherever they run."""
    return [
        Part("controller-manager", (*_controller_manager(box, programs), *more)),
        Part("scheduler", (*_scheduler(box, programs), *more)),
    ]


def first(box: Box, programs: Programs) -> list[Part]:
    """What needs nobody else."""
    registry, buildkitd = str(programs["docker-registry"]), str(programs["buildkitd"])
    return [
        *heart(box, programs),
        Part("containerd", (str(programs["containerd"]), "--config", str(box.folder / "containerd.toml"))),
        Part("registry", (registry, "serve", str(box.folder / "registry.json")), _MACHINES_NETWORK),
        Part("registry-inside", (registry, "serve", str(box.folder / "registry.json"))),
        Part("registry-secure", (registry, "serve", str(box.folder / "registry-secure.json")), _MACHINES_NETWORK),
        Part("buildkitd", (buildkitd, "--config", str(box.folder / "buildkitd.toml")), _MACHINES_NETWORK),
    ]


def second(box: Box, programs: Programs) -> list[Part]:
    """What needs the API server."""
    return [
        *controllers(box, programs),
        Part("kubelet", _kubelet(box, programs)),
        Part("proxy", _proxy(box, programs)),
        Part("coredns", (str(programs["coredns"]), "-conf", str(box.folder / "Corefile"))),
        Part("disks", _disks(box), variables=_OURS),
        Part("fence", _fence(box, programs), variables=_OURS),
    ]


def third(box: Box, programs: Programs) -> list[Part]:
    """What needs the definitions of the Gateway API: Traefik, on the machine's loopback, which the box is led to."""
    kubeconfig = trusted(box, "admin.kubeconfig")
    return [Part("traefik", (str(programs["traefik"]), *_traefik(box)), _MACHINES_NETWORK, {"KUBECONFIG": kubeconfig})]


def trusted(box: Box, name: str) -> str:
    """Where a key, a certificate or a kubeconfig is."""
    return str(box.folder / "trust" / name)


def _etcd(programs: Programs) -> tuple[str, ...]:
    """In memory, and gone with the box."""
    return (str(programs["etcd"]), "--data-dir=/run/etcd", "--log-level=warn")


def _apiserver(box: Box, programs: Programs) -> tuple[str, ...]:
    return (
        str(programs["kube-apiserver"]),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--bind-address={box.node}",
        f"--advertise-address={box.node}",
        f"--service-cluster-ip-range=10.{box.number}.128.0/17",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={trusted(box, 'ca.crt')}",
        f"--tls-cert-file={trusted(box, 'apiserver.crt')}",
        f"--tls-private-key-file={trusted(box, 'apiserver.key')}",
        f"--kubelet-certificate-authority={trusted(box, 'ca.crt')}",
        f"--kubelet-client-certificate={trusted(box, 'apiserver-to-kubelet.crt')}",
        f"--kubelet-client-key={trusted(box, 'apiserver-to-kubelet.key')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={trusted(box, 'service-accounts.pub')}",
        f"--service-account-signing-key-file={trusted(box, 'service-accounts.key')}",
        f"--requestheader-client-ca-file={trusted(box, 'front-proxy-ca.crt')}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={trusted(box, 'front-proxy.crt')}",
        f"--proxy-client-key-file={trusted(box, 'front-proxy.key')}",
        "--enable-aggregator-routing=true",
        "--profiling=false",
    )


def _controller_manager(box: Box, programs: Programs) -> tuple[str, ...]:
    return (
        str(programs["kube-controller-manager"]),
        f"--kubeconfig={trusted(box, 'controller-manager.kubeconfig')}",
        f"--root-ca-file={trusted(box, 'ca.crt')}",
        f"--service-account-private-key-file={trusted(box, 'service-accounts.key')}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--node-monitor-period=1s",
        "--profiling=false",
    )


def _scheduler(box: Box, programs: Programs) -> tuple[str, ...]:
    kubeconfig = trusted(box, "scheduler.kubeconfig")
    return (str(programs["kube-scheduler"]), f"--kubeconfig={kubeconfig}", "--leader-elect=false")


def _proxy(box: Box, programs: Programs) -> tuple[str, ...]:
    return (str(programs["kube-proxy"]), f"--config={box.folder / 'proxy.json'}", f"--hostname-override={NODE}")


def _kubelet(box: Box, programs: Programs) -> tuple[str, ...]:
    return (
        str(programs["kubelet"]),
        f"--config={box.folder / 'kubelet.json'}",
        f"--kubeconfig={trusted(box, 'kubelet.kubeconfig')}",
        f"--hostname-override={NODE}",
        f"--node-ip={box.node}",
        f"--root-dir={box.folder / 'kubelet'}",
    )


def _disks(box: Box) -> tuple[str, ...]:
    folder = box.folder / "disks"
    return (sys.executable, "-m", "tests.cluster.disks", trusted(box, "admin.kubeconfig"), str(folder), NODE)


def _fence(box: Box, programs: Programs) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.cluster.fence", str(box.number), str(programs["nft"]))


def _traefik(box: Box) -> tuple[str, ...]:
    address = box.ingress.partition(":")[0]
    return (
        f"--entrypoints.web.address={box.ingress}",
        "--entrypoints.web.transport.lifecycle.gracetimeout=1s",
        f"--entrypoints.secure.address={box.secure_ingress}",
        "--entrypoints.secure.http.tls=true",
        "--entrypoints.secure.transport.lifecycle.gracetimeout=1s",
        "--providers.providersthrottleduration=50ms",
        "--providers.kubernetesingress=true",
        "--providers.kubernetesingress.throttleduration=50ms",
        f"--providers.kubernetesingress.ingressendpoint.ip={address}",
        "--providers.kubernetesgateway=true",
        "--providers.kubernetesgateway.throttleduration=50ms",
        f"--providers.kubernetesgateway.statusaddress.ip={address}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
    )


def configure(box: Box, containers: str) -> None:
    """Write the files that the parts read; ``containers`` is the folder of the CNI's programs."""
    for name, text in _files(box).items():
        path = box.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    _gather_plugins(box.folder / _PLUGINS, Path(containers))


def _gather_plugins(folder: Path, containers: Path) -> None:
    """Have those of the machine and our own in one folder, since containerd looks in one."""
    folder.mkdir()
    for each in containers.iterdir():
        (folder / each.name).symlink_to(each)
    gate = folder / "gate"
    gate.write_text(f"#!{sys.executable} -IS\n{Path(__file__).with_name('fence').joinpath('gate.py').read_text()}")
    gate.chmod(0o755)


def _files(box: Box) -> dict[str, str]:
    here = f"http://{box.registry}"
    registry = f'server = "{here}"\n[host."{here}"]\ncapabilities = ["pull", "resolve"]\n'
    return {
        "containerd.toml": _containerd(box),
        f"hosts/{box.registry}/hosts.toml": registry,
        "hosts/docker.io/hosts.toml": registry,
        **{f"hosts/{each}/hosts.toml": _trusting(box, each) for each in (box.secure_registry, box.guarded_registry)},
        "cni/10-pods.conflist": json.dumps(_cni(box)),
        "kubelet.json": json.dumps(_kubelet_settings(box)),
        "proxy.json": json.dumps(_proxy_settings(box)),
        "registry.json": json.dumps(_registry(box)),
        "registry-secure.json": json.dumps(_secure_registry(box)),
        "buildkitd.toml": _buildkitd(box),
        "Corefile": _corefile(box),
        "resolv.conf": f"nameserver {box.node}\n",
    }


def _trusting(box: Box, registry: str) -> str:
    about = f'[host."https://{registry}"]\ncapabilities = ["pull", "resolve"]\n'
    return f'{about}ca = "{trusted(box, "outside-ca.crt")}"\n'


def _containerd(box: Box) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{box.folder}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[debug]
level = "warn"
[grpc]
address = "/run/containerd.sock"
[{cri}]
sandbox_image = "{box.registry}/previewbot/pause:1"
restrict_oom_score_adj = true  # a machine may lack the right to lower these scores
enable_unprivileged_ports = true
[{cri}.cni]
bin_dir = "{box.folder}/{_PLUGINS}"
conf_dir = "{box.folder}/cni"
[{cri}.registry]
config_path = "{box.folder}/hosts"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _cni(box: Box) -> dict[str, object]:
    """Every pod on a cable of its own, so that all they say to each other passes the node's rules."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": box.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
            {"type": "gate", "socket": str(box.fence)},
        ],
    }


def _kubelet_settings(box: Box) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{box.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [box.node],
        "clusterDomain": "cluster.local",
        "resolvConf": str(box.folder / "resolv.conf"),
        "volumePluginDir": str(box.folder / "kubelet-plugins"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": trusted(box, "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": trusted(box, "kubelet-server.crt"),
        "tlsPrivateKeyFile": trusted(box, "kubelet-server.key"),
        # Tests ask for much at once, and a full disk of the machine is no reason to evict what they look at.
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "syncFrequency": "10s",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
    }


def _proxy_settings(box: Box) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": trusted(box, "proxy.kubeconfig")},
        "mode": "iptables",
        "clusterCIDR": box.pods,
        "iptables": {"minSyncPeriod": "100ms"},
        # Limits of the whole machine's kernel, which are not ours to set.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _registry(box: Box) -> dict[str, object]:
    """For several processes on one folder, inside and outside: none may remember what another changes."""
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(box.folder / "registry")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"127.0.0.1:{box.registry.rpartition(':')[2]}", "secret": "shared by all"},
    }


def _secure_registry(box: Box) -> dict[str, object]:
    """For pods, whom nobody on the loopback answers."""
    tls = {"certificate": trusted(box, "outside.crt"), "key": trusted(box, "outside.key")}
    http = {"addr": box.secure_registry, "secret": "shared by all", "tls": tls}
    return {**_registry(box), "http": http}


def _buildkitd(box: Box) -> str:
    return f"""\
root = "{box.folder}/buildkit"
[grpc]
address = ["unix://{box.folder}/buildkitd.sock", "{box.secure_buildkit}"]
[grpc.tls]
cert = "{trusted(box, "outside.crt")}"
key = "{trusted(box, "outside.key")}"
ca = "{trusted(box, "outside-ca.crt")}"
[otel]
socketPath = "{box.folder}/buildkit-otel.sock"
[cdi]
disabled = true
[worker.oci]
snapshotter = "auto"
defaultCgroupParent = "{box.cgroup}/builds"
[worker.containerd]
enabled = false
[registry."{box.registry}"]
http = true
[registry."{box.secure_registry}"]
ca = ["{trusted(box, "outside-ca.crt")}"]
[registry."{box.guarded_registry}"]
ca = ["{trusted(box, "outside-ca.crt")}"]
[registry."docker.io"]
mirrors = ["{box.registry}"]
"""


def _corefile(box: Box) -> str:
    return f"""\
.:53 {{
  bind {box.node}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {trusted(box, "admin.kubeconfig")}
    ttl 5
  }}
}}
"""
