"""ElasticMQ, as Maven has it: its archives once in the user's cache, each checked by hash."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from previewbot.demo.machine import MachineError, Say, install

_POM = Path(__file__).with_name("elasticmq") / "pom.xml"
_SUMS = _POM.with_name("jars.sha256")


def elasticmq(say: Say) -> Path:
    """The folder with everything that it is run from."""
    made_of = hashlib.sha256(_POM.read_bytes() + _SUMS.read_bytes()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "previewbot", f"elasticmq-{made_of}")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            _fetch(Path(aside, "jars"), say)
            Path(aside, "jars").rename(folder)
    return folder


def _fetch(folder: Path, say: Say) -> None:
    if not shutil.which("mvn"):
        asyncio.run(install("maven", say=say))
    say("Fetching ElasticMQ with Maven")
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(_POM)]
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run([*command, *goal], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"Maven cannot fetch ElasticMQ:\n{done.stdout[-2000:]}")
    wanted = {name: digest for digest, name in map(str.split, _SUMS.read_text().splitlines())}
    found = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}
    if found != wanted:
        names = ", ".join(sorted(name for name, _ in found.items() ^ wanted.items()))
        raise MachineError(f"Maven's ElasticMQ is another one than {_SUMS.name} says: {names}")
