"""Who judges Kubernetes manifests: ``kubernetes-validate`` and ``checkov``, installed once into the user's cache.

They get a virtual environment of their own, pinned by hash in ``manifests.txt`` (``make lock`` writes it): checkov
wants older versions of what previewbot itself uses.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_LOCK = Path(__file__).with_name("manifests.txt")
_OLDEST, _NEWEST = "1.30.0", "1.34.0"
"""Versions of Kubernetes: the first that the chart allows, and that of the tests' cluster."""


@cache
def _program(name: str) -> Path:
    key = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "previewbot" / f"manifests-{key}"
    if not (folder / "done").exists():
        # Programs of such an environment know where it is, so it is made in its place, and marked when it is whole.
        venv.create(folder, clear=True, with_pip=True)
        install = (folder / "bin" / "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", _LOCK)
        done = subprocess.run(list(map(str, install)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip install failed: {done.stderr[-800:]}")
        (folder / "done").touch()
    return folder / "bin" / name


def validated(manifests: str) -> list[str]:
    """What ``kubernetes-validate`` says of a text with several documents: every field that its schema does not know."""
    faults = []
    with _file(manifests) as file:
        for version in (_OLDEST, _NEWEST):
            command = (str(_program("kubernetes-validate")), "--strict", "--quiet", "-k", version, file)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said = (done.stdout + done.stderr).splitlines()
            faults += [each for each in said if each.strip()] or ["it failed"] * bool(done.returncode)
    return faults


def checked(manifests: str) -> tuple[int, set[tuple[str, str]]]:
    """What ``checkov`` says: how many checks passed, and (check, kind of the object) of those that failed."""
    with _file(manifests) as file:
        command = (str(_program("checkov")), "-f", file, "--framework", "kubernetes", "-o", "json", "--skip-download")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    failed = found["results"]["failed_checks"]
    assert not found["summary"]["parsing_errors"], found
    return found["summary"]["passed"], {(each["check_id"], each["resource"].partition(".")[0]) for each in failed}


@contextmanager
def _file(text: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "manifests.yaml")
        path.write_text(text)
        yield str(path)
