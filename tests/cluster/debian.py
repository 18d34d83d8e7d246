"""File systems of Debian with packages in them, for images that no registry can be asked for."""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from previewbot.demo.machine import MachineError, Say, install

CONFIG: Mapping[str, object] = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Cmd": ["bash"],
}
"""What an image of it is started with."""

_SOURCES = ("sources.list.d/*debian*.sources", "sources.list.d/*debian*.list", "sources.list")
"""Files below ``/etc/apt`` that say where Debian's own packages are; the first that is there does."""
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


def filesystem(packages: Sequence[str], say: Say) -> bytes:
    """A tar of the machine's own Debian with only these packages; half a minute, from the machine's own mirror."""
    asyncio.run(install("mmdebstrap", say=say))
    sources = next((each for pattern in _SOURCES for each in Path("/etc/apt").glob(pattern)), None)
    if not sources:
        raise MachineError(f"None of {', '.join(_SOURCES)} in /etc/apt says where Debian's packages are.")
    say(f"Making a Debian of {', '.join(packages)}")
    with tempfile.TemporaryDirectory() as made:
        tar = Path(made, "debian.tar")
        leave_out = [f"--dpkgopt=path-exclude={each}" for each in _LEFT_OUT]
        # Java's package wants to put links in there.
        leave_out.append('--essential-hook=mkdir -p "$1/usr/share/man/man1"')
        wanted = [f"--include={each}" for each in packages]
        command = ["mmdebstrap", "--quiet", "--variant=minbase", *leave_out, *wanted, _release(), str(tar)]
        done = subprocess.run([*command, str(sources)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise MachineError(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
        return tar.read_bytes()


def _release() -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not found:
        raise MachineError("This machine's /etc/os-release does not tell which Debian it is.")
    return found[1]
