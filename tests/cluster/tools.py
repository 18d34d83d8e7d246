"""The programs of the cluster: Go modules of ``tools/`` built once into the user's cache, the rest from Debian."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from previewbot.demo.machine import MachineError, Say, dies_with_us, install

MODULES = ("buildkit", "kubernetes", "coredns", "traefik", "helm")
"""Folders of ``tools/``, each a Go module whose ``tool`` lines name the programs."""

MORE = ("kwok", "versitygw", "compose")
"""Those that no cluster here needs: built where somebody asks for them."""

_TOOLS = Path(__file__).parent / "tools"
_OLDEST_GO = (1, 21)
"""The first Go that fetches a newer one as a Go module, where a ``go.mod`` asks for it."""

_ASIDE = ".building-"
"""How folders of the cache begin that are not done yet."""

_EVERY = 5.0
"""Seconds between two words on a build."""

_DEBIAN = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "docker-registry": "docker-registry",
    "busybox": "busybox-static",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
}
"""What each Debian package is needed for; one is installed only where its program is missing."""

_POLICY = Path("/usr/sbin/policy-rc.d")


def build(say: Say, modules: Sequence[str] = MODULES) -> dict[str, Path]:
    """Build what is not in the cache yet; gives each program's path by its name."""
    if _missing(modules):
        with _alone(say):
            _build_all(_missing(modules), say)
    return {program.name: program for each in modules for program in _bin(each).iterdir()}


def _missing(modules: Sequence[str]) -> list[str]:
    return [each for each in modules if not _bin(each).is_dir()]


def _build_all(modules: Sequence[str], say: Say) -> None:
    if modules:
        say(f"Building {', '.join(modules)} once into {_cache()}; all of it takes 20 to 30 minutes on two cores")
    for number, each in enumerate(modules, 1):
        _build(each, say, f"{each} ({number} of {len(modules)})")


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    """Wait for whoever builds into the cache already, and remove what one who was killed left there half done."""
    _cache().mkdir(parents=True, exist_ok=True)
    with (_cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another build of the cluster's programs")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for each in _cache().glob(f"{_ASIDE}*"):
            shutil.rmtree(each, ignore_errors=True)
        yield


def crds() -> list[Path]:
    """The files that define the Gateway API, in the version that Traefik was built against."""
    return sorted((_bin("traefik").parent / "crds").glob("gateway*.yaml"))


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "previewbot", "cluster")


def _bin(module: str) -> Path:
    """Where a module's programs are; what they are built from stands in the name."""
    made_of = (_TOOLS / module / "go.mod").read_bytes() + (_TOOLS / module / "go.sum").read_bytes()
    return _cache() / f"{module}-{hashlib.sha256(made_of).hexdigest()[:12]}" / "bin"


def _build(module: str, say: Say, title: str) -> None:
    """Build a module aside and move it into place, so that a build that was cut off leaves nothing half done."""
    started, go = time.monotonic(), _go(say)
    with tempfile.TemporaryDirectory(dir=_cache(), prefix=_ASIDE) as made:
        folder = Path(made, module)
        (folder / "bin").mkdir(parents=True)
        command = (go, "build", "-v", "-trimpath", "-ldflags", _flags(module), "-o", f"{folder}/bin/", "tool")
        _compile(command, module, say, title)
        if module == "traefik":
            _keep_crds(go, folder / "crds")
        folder.rename(_bin(module).parent)
    say(f"  {title}: done in {time.monotonic() - started:.0f} s")


def _flags(module: str) -> str:
    """No symbols; and Kubernetes is told its version, which clients of it ask for."""
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\S*)", (_TOOLS / module / "go.mod").read_text())
    if not found:
        return "-s -w"
    values = zip(("gitVersion", "gitMajor", "gitMinor"), found.groups(), strict=True)
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values)


def _compile(command: Sequence[str], module: str, say: Say, title: str) -> None:
    started = said = time.monotonic()
    process = subprocess.Popen(
        [*dies_with_us(), *command], cwd=_TOOLS / module, env=_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=_nice,  # noqa: PLW1509 - there is one thread
    )  # fmt: skip
    lines: list[str] = []
    with process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if time.monotonic() - said > _EVERY:
                said = time.monotonic()
                say(f"  {title}: {len(lines)} packages, {said - started:.0f} s")
    if process.returncode:
        raise MachineError(f"{module} does not build:\n{''.join(lines[-15:])}")


def _nice() -> None:
    os.nice(10)


def _environment() -> Mapping[str, str]:
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "auto"}


def _keep_crds(go: str, folder: Path) -> None:
    asked = (go, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
    there = subprocess.run(
        asked, cwd=_TOOLS / "traefik", env=_environment(), capture_output=True, text=True, check=True
    )
    folder.mkdir()
    for each in Path(there.stdout.strip(), "config", "crd", "standard").glob("gateway*.yaml"):
        (folder / each.name).write_bytes(each.read_bytes())


def _go(say: Say) -> str:
    """Find a Go that is new enough, or install Debian's where that one is."""
    if not shutil.which("go") and _debians_go() >= _OLDEST_GO:
        _apt(["golang-go"], say)
    go = shutil.which("go")
    if not go:
        raise MachineError("The cluster's programs are built with Go, which is missing. Install Go 1.26 or newer.")
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    if _version(said) < _OLDEST_GO:
        raise MachineError(f"{go} is {said}, which is too old to build the cluster's programs. Install Go 1.26.")
    return go


def _debians_go() -> tuple[int, ...]:
    if not shutil.which("apt-cache"):
        return ()
    asked = ("apt-cache", "policy", "golang-go")
    found = re.search(r"Candidate: (\S+)", subprocess.run(asked, capture_output=True, text=True, check=False).stdout)
    return _version(found[1]) if found else ()


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else ()


# --- Debian ---------------------------------------------------------------------------------------------------------


def ensure_packages(say: Say) -> None:
    """Install the Debian packages whose programs are missing, without starting the services that they bring."""
    missing = sorted({package for program, package in _DEBIAN.items() if not find(program)})
    if missing:
        _apt(missing, say)


def debians() -> dict[str, Path]:
    """The paths of Debian's programs by their names; raises ``MachineError`` where one is missing."""
    found = {Path(program).name: find(program) for program in _DEBIAN}
    if missing := [name for name, path in found.items() if not path]:
        raise MachineError(f"The cluster needs {', '.join(missing)}, which is not there.")
    return {name: Path(path) for name, path in found.items() if path}


def find(program: str) -> str | None:
    """Where a program is, also in the folders that only root has on its path."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")


def _apt(packages: Sequence[str], say: Say) -> None:
    import asyncio

    with _services_stay_off():
        asyncio.run(install(*packages, say=say))


@contextmanager
def _services_stay_off() -> Iterator[None]:
    """Have Debian start no service for what is installed meanwhile: a cluster of ours runs its own."""
    if _POLICY.exists() or os.geteuid() != 0:
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
