"""Enter the namespaces, start Podman's service there, run pytest on it, and end as it ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from previewbot.demo import machine
from tests.cluster import tools

_PACKAGES = ("podman", "runc", "iptables", "iproute2", "catatonit", "netavark", "aardvark-dns")
_SOCKET = Path("/run/podman/podman.sock")
_OWN_FOLDERS = ("/var/lib/containers", "/run", "/etc/containers", "/etc/cni", "/var/lib/cni")
"""What Podman writes, each an empty folder in memory; ``/run`` has the locks, and Docker's socket, too."""
_CONFIG = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
init_path = "/usr/bin/catatonit"
[containers]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
"""
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
_ENTER = ("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")
_INSIDE = "PREVIEWBOT_TEST_INSIDE"
_PATIENCE = 30


def main(arguments: Sequence[str]) -> int:
    """Run from outside, this installs Podman and goes in; from inside, it runs the tests."""
    if _INSIDE in os.environ:
        return _test(arguments)
    asyncio.run(machine.install(*_PACKAGES, say=lambda line: print(f"· {line}", flush=True)))
    again = (*_ENTER, sys.executable, "-m", "tests.podman", *arguments)
    return subprocess.run(again, env=os.environ | {_INSIDE: "1"}, check=False).returncode


def _test(arguments: Sequence[str]) -> int:
    for folder in _OWN_FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _do("mount", "-t", "tmpfs", "previewbot", folder)
    Path("/etc/containers/containers.conf").write_text(_CONFIG)
    Path("/etc/containers/policy.json").write_text(_POLICY)
    _do("ip", "link", "set", "lo", "up")
    _SOCKET.parent.mkdir()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "podman.log").open("w+") as log:
        command = ("podman", "system", "service", "--time", "0", f"unix://{_SOCKET}")
        service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(service)
            tests = (sys.executable, "-m", "pytest", "-p", "tests.podman.gaps", "-p", "no:cacheprovider", *arguments)
            found = {"PREVIEWBOT_TEST_DOCKER_HOST": f"unix://{_SOCKET}"}
            return subprocess.run(tests, env=os.environ | found, check=False).returncode
        except TimeoutError:
            log.seek(0)
            sys.exit(f"Podman's service does not come up:\n{log.read()}")
        finally:
            service.terminate()
            service.wait()


def _wait_for(service: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while not _SOCKET.exists():
        if service.poll() is not None or time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


def _do(name: str, *arguments: str) -> None:
    subprocess.run((tools.find(name) or name, *arguments), check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
