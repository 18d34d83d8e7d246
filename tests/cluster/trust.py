"""Keys, certificates and kubeconfigs of one cluster; they live as long as it does, in its folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.box import Box

NODE = "node"
"""The name of the only node."""

_CLIENTS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "apiserver-to-kubelet": ("apiserver-to-kubelet", "system:masters"),
}
"""Who has a client certificate: the user's name and group in Kubernetes."""


@dataclass(frozen=True, slots=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def write(box: Box) -> None:
    """Write every key, certificate and kubeconfig that the parts are started with."""
    folder = box.folder / "trust"
    folder.mkdir(mode=0o700)
    authority = _authority(folder, "ca")
    proxy = _authority(folder, "front-proxy-ca")
    outside = _authority(folder, "outside-ca")
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    _issue(authority, folder, "apiserver", hosts=(*names, "localhost", "127.0.0.1", box.node, f"10.{box.number}.128.1"))
    _issue(authority, folder, "kubelet-server", hosts=(NODE, box.node))
    _issue(proxy, folder, "front-proxy")
    _issue(outside, folder, "outside", hosts=(box.outside,))
    _issue(outside, folder, "outside-client")
    for client, (user, group) in _CLIENTS.items():
        _issue(authority, folder, client, user=user, group=group)
        (folder / f"{client}.kubeconfig").write_text(_kubeconfig(box, client))
    _save_key(folder / "service-accounts.key", signer := ec.generate_private_key(ec.SECP256R1()))
    public = signer.public_key()
    (folder / "service-accounts.pub").write_bytes(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _kubeconfig(box: Box, client: str) -> str:
    def inline(name: str) -> str:
        return base64.b64encode((box.folder / "trust" / name).read_bytes()).decode()

    cluster = {"server": f"https://{box.node}:6443", "certificate-authority-data": inline("ca.crt")}
    user = {"client-certificate-data": inline(f"{client}.crt"), "client-key-data": inline(f"{client}.key")}
    name = "previewbot-cluster"
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}], "users": [{"name": client, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": client}}],
    })  # fmt: skip


def _authority(folder: Path, name: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"previewbot test {name}")])
    builder = _begin(subject, subject, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    signs = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    names_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        builder.add_extension(signs, critical=True).add_extension(names_key, critical=False).sign(key, hashes.SHA256())
    )
    _save(folder, name, key, certificate)
    return _Authority(key, certificate)


def _issue(
    by: _Authority, folder: Path, name: str, *, user: str = "", group: str = "", hosts: Sequence[str] = ()
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, user or name)]
    if group:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    use = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = _begin(x509.Name(parts), by.certificate.subject, key)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    # Python from 3.13 on trusts nobody who does not say which key vouches for it.
    vouches = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    builder = builder.add_extension(vouches, critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([_host(each) for each in hosts])
        builder = builder.add_extension(names, critical=False)
    _save(folder, name, key, builder.sign(by.key, hashes.SHA256()))


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=365))


def _host(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def _save(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    _save_key(folder / f"{name}.key", key)
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _save_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
